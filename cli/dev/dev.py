"""`activity dev`: servers, workers, clock and Flower in one terminal, for development."""

import asyncio
import fcntl
import http.client
import json
import os
import secrets
import signal
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Annotated, get_args

import typer

from cli.dev import mailsink
from cli.dev.embedded import EmbeddedPostgres, EmbeddedValkey, write_private
from cli.dev.ports import first_free, is_free
from cli.errors import Unreachable

EPHEMERAL = "activity-dev-"  # what the temporary folders begin with
UP_WITHIN = 120.0  # seconds; it takes about five
_COLOURS = ("cyan", "green", "yellow", "magenta", "blue", "bright_red")


def dev(
    data_dir: Annotated[
        Path | None,
        typer.Option(
            help="Where the data is kept. Default: ACTIVITY_DATA_DIR, else .activity, here or above."
        ),
    ] = None,
    ephemeral: Annotated[
        bool, typer.Option("--ephemeral", help="Keep the data in a temporary folder, removed at the end.")
    ] = False,
    port: Annotated[
        int,
        typer.Option(
            min=1024, max=65000, help="The first of five ports: API, Flower, PostgreSQL, Valkey, mail."
        ),
    ] = 8000,
    no_demo: Annotated[
        bool, typer.Option("--no-demo", help="Without the trickle of example events.")
    ] = False,
) -> None:
    """Start everything in this terminal, with servers of its own, until Ctrl-C.

    Set ACTIVITY_DATABASE_URL or ACTIVITY_REDIS_URL to use a server of yours.
    """
    from activity.settings import data_dir as nearest

    with ExitStack() as stack:
        if ephemeral:
            data_dir = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=EPHEMERAL)))
        folder = (data_dir or nearest()).resolve()
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        stack.enter_context(_alone_in(folder))
        os.environ["ACTIVITY_DATA_DIR"] = str(folder)
        os.environ.setdefault("ACTIVITY_LOG_FORMAT", "console")
        os.environ.setdefault("ACTIVITY_TRUST_BROKER", "true")  # it listens on this machine alone
        os.environ.setdefault(
            "PYTHONWARNINGS", "ignore:You're running the worker with superuser"
        )  # as root: known, and only here
        started = time.monotonic()
        given = stack.enter_context(_servers(folder, port))
        os.environ["ACTIVITY_PORT"] = str(_port("API", port))
        os.environ["FLOWER_PORT"] = str(_port("Flower", port + 1))
        os.environ[mailsink.PORT] = str(_port("mail", port + 4))
        given["public_url"] = f"http://127.0.0.1:{os.environ['ACTIVITY_PORT']}"
        _write_settings(folder, given)
        _migrate()
        tenant = _seed_key(folder)
        stack.callback((folder / "endpoints.json").unlink, missing_ok=True)
        asyncio.run(_run_all(folder, tenant, started, no_demo))


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Unreachable(
                f"another `activity dev` runs in {folder}: stop it, or give this one another --data-dir"
            ) from None
        yield


@contextmanager
def _servers(folder: Path, port: int) -> Iterator[dict[str, str]]:
    """Start the servers that no variable names, and yield their URLs as settings."""
    with ExitStack() as stack:
        urls = {}
        if "ACTIVITY_DATABASE_URL" not in os.environ:
            urls["database_url"] = stack.enter_context(
                EmbeddedPostgres(folder / "postgres", _port("PostgreSQL", port + 2))
            ).url()
        if "ACTIVITY_REDIS_URL" not in os.environ:
            urls["redis_url"] = stack.enter_context(
                EmbeddedValkey(folder / "valkey", _port("Valkey", port + 3))
            ).url()
        yield urls


def _port(what: str, wanted: int) -> int:
    """Return the wanted port, or the first free one ten, twenty ... above it, which no neighbour wants."""
    if is_free(wanted):
        return wanted
    port = first_free(range(wanted + 10, wanted + 200, 10))
    typer.echo(f"port {wanted} is taken: {what} uses {port}", err=True)
    return port


def _write_settings(folder: Path, urls: Mapping[str, str]) -> None:
    """Write settings.json, which every command beside us reads; secrets in it are made once and stay."""
    from activity.settings import Role, settings

    path = folder / "settings.json"
    stored: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    passwords = [f"{role}_password" for role in get_args(Role)]
    if "database_url" not in urls:
        missing = [name for name in passwords if f"ACTIVITY_{name.upper()}" not in os.environ]
        if missing:  # a password made here would lock out whoever else uses that server's roles
            names = ", ".join(f"ACTIVITY_{name.upper()}" for name in missing)
            raise Unreachable(
                f"ACTIVITY_DATABASE_URL names a server of yours, so set the passwords of its roles too: "
                f"{names}"
            )
        passwords = []
    made = {
        name: stored.get(name) or secrets.token_urlsafe(24)
        for name in (*passwords, "api_key", "session_secret")
    }
    made["tracking_keys"] = stored.get("tracking_keys") or f"k1:{secrets.token_urlsafe(24)}"
    write_private(path, json.dumps({**urls, **made}, indent=2))
    settings.cache_clear()


def _migrate() -> None:
    from db.migrate import migrate

    migrate()


def _seed_key(folder: Path) -> int:
    """Let the development key into the workspace `demo`, made if it is not there, and give it a mailbox.

    Return the workspace.
    """
    from db.access import SCOPES, add_key
    from db.engine import begin
    from db.records.records import make_tenant

    key = json.loads((folder / "settings.json").read_text())["api_key"]
    with begin("producer") as session:
        tenant = make_tenant(session, "demo", "Demo").id
    with begin("producer", tenant) as session:
        add_key(session, tenant, key, "development", SCOPES, "dev@example.com")
    mailsink.seed(tenant)
    return tenant


async def _run_all(folder: Path, tenant: int, started: float, no_demo: bool) -> None:
    """Keep the children; once all answer, say where they are."""
    from cli.deployment.processes import demo, processes
    from cli.dev.supervisor import Supervisor

    children = [*processes(), mailsink.child(folder), *([] if no_demo else [demo()])]
    supervisor = Supervisor(children, _printer([child.name for child in children]))
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, supervisor.stop)
    running = asyncio.create_task(supervisor.run())
    up = asyncio.create_task(_until_up(_probes([child.name for child in children])))
    try:
        await asyncio.wait({running, up}, return_when=asyncio.FIRST_COMPLETED)
        if up.done():
            up.result()
            _report(folder, tenant, time.monotonic() - started)
        await running
    finally:
        up.cancel()
        if not running.done():
            supervisor.stop()
            await running


async def _until_up(probes: Mapping[str, Callable[[], bool]]) -> None:
    """Return when every probe has said yes.

    Raises Unreachable with the names of those that did not within UP_WITHIN.
    """
    waiting = dict(probes)
    try:
        async with asyncio.timeout(UP_WITHIN):
            while waiting:
                for name, answers in list(waiting.items()):
                    if await asyncio.to_thread(answers):
                        del waiting[name]
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise Unreachable(
            f"not up after {UP_WITHIN:g} s: {', '.join(waiting)} (their lines above say why)"
        ) from None


def _probes(names: list[str]) -> dict[str, Callable[[], bool]]:
    """Return what to ask of the children whose answer can be asked for."""
    known: dict[str, Callable[[], bool]] = {
        "append": lambda: _worker_answers("append"),
        "producers": lambda: _worker_answers("producers"),
        "api": lambda: _http_answers(int(os.environ["ACTIVITY_PORT"]), "/readyz"),
        "flower": lambda: _http_answers(int(os.environ["FLOWER_PORT"]), "/healthcheck"),
    }
    return {name: probe for name, probe in known.items() if name in names}


def _worker_answers(name: str) -> bool:
    from worker.celery import app

    answers: list[dict[str, object]] = app.control.ping(timeout=0.5)
    return any(node.startswith(f"{name}-") for answer in answers for node in answer)


def _http_answers(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
    with suppress(OSError, http.client.HTTPException):
        connection.request("GET", path)
        return connection.getresponse().status == 200
    return False


def _report(folder: Path, tenant: int, seconds: float) -> None:
    """Write endpoints.json, then print the same for people, without the secrets, and how to get in last."""
    from activity.settings import settings
    from api.access import link

    stored = json.loads((folder / "settings.json").read_text())
    urls = {name: settings().required(name) for name in ("database_url", "redis_url")}
    endpoints: dict[str, object] = {
        **urls,
        "api": f"http://127.0.0.1:{os.environ['ACTIVITY_PORT']}",
        "flower": f"http://127.0.0.1:{os.environ['FLOWER_PORT']}",
        "smtp": f"smtp://127.0.0.1:{os.environ[mailsink.PORT]}",
        "data_dir": str(folder),
        "api_key": stored["api_key"],
        "tenant": tenant,
        "pid": os.getpid(),
    }
    write_private(folder / "endpoints.json", json.dumps(endpoints, indent=2))
    lines = {
        "page, API": f"{endpoints['api']} (the key: api_key in endpoints.json)",
        "PostgreSQL": _without_password(urls["database_url"]),
        "Redis": _without_password(urls["redis_url"]),
        "Flower": endpoints["flower"],
        "mail": f"{endpoints['smtp']} (what is sent lies in {folder / 'mail' / 'new'})",
        "data": f"{folder} (passwords: settings.json, URLs: endpoints.json)",
        "shell": 'eval "$(activity env)" gives a second terminal what the examples use',
        "warning": "for development only: no TLS, and Flower is open to every user of this machine",
    }
    typer.echo(f"\nActivity is up after {seconds:.1f} s; Ctrl-C stops it.")
    typer.echo("".join(f"  {name:<11} {text}\n" for name, text in lines.items()))
    if path := link.offer(stored["api_key"]):
        typer.echo(
            f"Open {endpoints['api']}{path}\n(signs in, once, within ten minutes, from this machine)\n"
        )


def _without_password(url: str) -> str:
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    user = f"{parts.username}@" if parts.username else ""
    return parts._replace(netloc=f"{user}{parts.hostname}:{parts.port}").geturl()


def _printer(names: list[str]) -> Callable[[str, str], None]:
    """Return what prints a child's line behind its coloured name."""
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False, markup=False, soft_wrap=True)
    width = max(map(len, names))
    colours = {name: _COLOURS[at % len(_COLOURS)] for at, name in enumerate(names)}

    def write(name: str, line: str) -> None:
        console.print(Text.assemble((f"{name:<{width}} | ", colours[name]), line))

    return write
