"""`activity doctor`: is this deployment well, part by part, and what to do where it isn't."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, get_args

import typer

from activity.errors import ActivityError
from cli.errors import FINDING
from cli.output import Json

_LISTEN_S = 3.0  # workers answer within one


class Finding(NamedTuple):
    """What was found of one part: `todo` says what to do where it isn't well."""

    part: str
    well: bool
    found: str
    todo: str = ""


def doctor(json: Json = False) -> None:
    """Check settings, logins, schema, log, broker and workers.

    Where one fails say what to do, and exit with 1.
    """
    import msgspec

    well = True
    for finding in _findings():
        well &= finding.well
        if json:
            typer.echo(msgspec.json.encode(finding._asdict()).decode())
        else:
            typer.echo(f"{'well  ' if finding.well else 'NOT OK'}  {finding.part:<10} {finding.found}")
            if not finding.well:
                typer.echo(f"{'':<19}{finding.todo}")
    if not well:
        raise typer.Exit(FINDING)


def _findings() -> Iterator[Finding]:
    """Yield what is found, a part at a time; a part that depends on one that failed is not asked."""
    yield (
        settings := _asked(
            "settings", _settings, "set it in the environment of every process: docs/settings.md"
        )
    )
    if not settings.well:
        return
    logins = _asked(
        "database",
        _logins,
        "see that PostgreSQL runs and that the passwords are those that `activity migrate` set",
    )
    yield logins
    if logins.well:
        yield _asked("roles", _roles, "run `activity migrate`, which says what a superuser has to do")
        yield _asked("schema", _schema, "run `activity migrate` with this version of the program")
        yield _asked(
            "log", _log, "see that `activity worker append` runs, and what `activity rejected` shows"
        )
    broker = _asked(
        "broker", _broker, "see that Redis or Valkey runs at ACTIVITY_REDIS_URL and ACTIVITY_BROKER_URL"
    )
    yield broker
    if broker.well:
        yield _asked("workers", _workers, "start `activity worker append` and `activity worker producers`")


def _asked(part: str, ask: Callable[[], str], todo: str) -> Finding:
    """Return what `ask` found, or why it isn't well: it raises ActivityError, or a library's error."""
    try:
        return Finding(part, True, ask())
    except ActivityError as error:
        return Finding(part, False, str(error), todo)
    except Exception as error:  # noqa: BLE001  # whatever a driver raises is the finding; only its kind is shown, its text may hold a URL
        return Finding(part, False, f"cannot be asked: {type(error).__name__}", todo)


def _settings() -> str:
    from activity.settings import Role, settings

    given = settings()
    given.required("database_url")
    given.required("redis_url")
    missing = [role for role in get_args(Role) if getattr(given, f"{role}_password") is None]
    if missing:  # each process needs those of its own roles alone
        return f"URLs are set; no password here for {', '.join(missing)}"
    return "URLs and the passwords of all roles are set"


def _logins() -> str:
    from activity.settings import Role, settings
    from db.engine import begin

    roles = [role for role in get_args(Role) if getattr(settings(), f"{role}_password") is not None]
    for role in roles:
        with begin(role, 0):  # to name a workspace asks the server; none has this number
            pass
    return f"PostgreSQL lets in {', '.join(roles) or 'nobody: no role has a password here'}"


def _roles() -> str:
    from db import roles
    from db.engine import begin

    with begin("reader") as session:
        found = roles.faults(session.connection())
    if found:
        raise ActivityError("; ".join(f"{one.role}: {one.text}" for one in found))
    return "each has the rights and settings that it needs, and no more"


def _schema() -> str:
    from db.migrate import at_and_newest

    at, newest = at_and_newest()
    if at != newest:
        raise ActivityError(f"it is at revision {at}, this program is made for {newest}")
    return f"at revision {at}, as this program is"


def _log() -> str:
    from db.engine import begin
    from db.log import audit, backlog, rejected

    def waiting() -> int:
        with begin("producer") as session:
            return backlog.waiting(session, tenants, 1_000_000)

    with begin("auditor") as session:
        tenants = audit.tenants(session)
        refused = rejected.refused_since(session, datetime.now(UTC) - timedelta(days=1))
    before = waiting()
    if before:
        time.sleep(1)
        if (now := waiting()) >= before:
            raise ActivityError(f"{now:,} events wait to be appended and do not get fewer")
    if refused:
        raise ActivityError(f"{refused:,} documents were refused within a day")
    return f"{len(tenants)} tenants have one, {before:,} events wait, nothing was refused within a day"


def _broker() -> str:
    from worker.celery import app
    from worker.process.redis import redis_client

    redis_client().ping()
    with app.connection_for_write() as connection:
        connection.ensure_connection(max_retries=1, timeout=2)
    return "Redis and the Celery broker answer"


def _workers() -> str:
    from worker.celery import app, queues

    served: dict[str, list[dict[str, object]]] = app.control.inspect(timeout=_LISTEN_S).active_queues() or {}
    names = {queue["name"] for theirs in served.values() for queue in theirs}
    if missing := queues() - names:
        raise ActivityError(
            f"nobody serves {', '.join(sorted(missing))}; workers: {', '.join(sorted(served)) or 'none'}"
        )
    return f"{', '.join(sorted(served))} serve every queue"
