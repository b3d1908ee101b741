"""`activity verify`, `checkpoint`, `export` and `migrate`: is the log whole, and the schema current."""

import sys
from collections.abc import Mapping
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from activity.errors import ActivityError
from cli.errors import FINDING
from cli.output import Json, print_json, print_one
from cli.workspace import TenantOption, resolve

if TYPE_CHECKING:
    from rich.status import Status

    from feed.verify import Checkpoint, Report

Tenants = Annotated[
    list[str] | None,
    typer.Option(
        "--tenant", "-t", help="Only this tenant, by slug or id; may be repeated. Default: every tenant."
    ),
]


def migrate(json: Json = False) -> None:
    """Bring the database to this version's schema. Safe to run twice, and at the same time."""
    from db.migrate import migrate as run

    revision = run()
    print_one({"revision": revision}, f"the database is at revision {revision}", json)


def verify(
    tenant: Tenants = None,
    checkpoint: Annotated[Path | None, typer.Option(help="What `activity checkpoint` wrote earlier.")] = None,
    exported: Annotated[
        Path | None,
        typer.Option(
            "--export", help="Verify what `activity export` wrote, without a database; - is standard input."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Recompute every hash of the log and compare; exit with 1 where anything is not as it was recorded."""
    import msgspec
    from rich.console import Console

    from feed.verify import Checkpoint
    from feed.verify import verify as run

    try:
        known = msgspec.json.decode(checkpoint.read_bytes(), type=list[Checkpoint]) if checkpoint else []
    except (OSError, msgspec.DecodeError) as error:
        raise ActivityError(f"{checkpoint} is not a checkpoint file: {error}") from None
    by_tenant = {one.tenant_id: one for one in known}
    with Console(stderr=True).status("verifying") as status:
        if exported:
            reports = [_verify_export(exported, by_tenant, status)]
        else:
            reports = [run(one, by_tenant.get(one), partial(_show, status, one)) for one in _ids(tenant)]
    print_one(reports, "\n".join(map(_lines, reports)), json)
    if any(report.faults for report in reports):
        raise typer.Exit(FINDING)


def _lines(report: "Report") -> str:
    found = "whole" if not report.faults else "NOT WHOLE"
    first = f"tenant {report.tenant_id}: {report.events} events, {found}, head {report.hash[:16]}"
    return "\n  ".join([first, *map(str, report.faults)])


def _verify_export(path: Path, checkpoints: "Mapping[int, Checkpoint]", status: "Status") -> "Report":
    """Return what is wrong with an exported log, which is one tenant's: the first line names it."""
    from feed.export import links
    from feed.verify import check

    try:
        with sys.stdin.buffer if str(path) == "-" else path.open("rb") as file:
            found = links(file)
            first = next(found, None)
            if first is None:
                raise ActivityError(f"{path} is empty")
            tenant = first.tenant_id
            return check(
                tenant, chain([first], found), checkpoints.get(tenant), partial(_show, status, tenant)
            )
    except OSError as error:
        raise ActivityError(f"{path}: {error.strerror}") from None


def export(tenant: TenantOption = None) -> None:
    """Write a tenant's log to standard output, one JSON object a line.

    `verify --export` verifies it anywhere, without the database.
    """
    from feed.export import export as lines

    for line in lines(_id(tenant)):
        sys.stdout.buffer.write(line)


def checkpoint(tenant: Tenants = None) -> None:
    """Print a checkpoint of each log, to store outside the database.

    `verify --checkpoint` proves that nothing before it changed.
    """
    from db.engine import begin
    from db.log import audit
    from feed.verify import Checkpoint

    ids = _ids(tenant)
    with begin("auditor") as session:
        places = [
            Checkpoint(one, seq, hash_.hex()) for one in ids for seq, hash_ in [audit.head(session, one)]
        ]
    print_json(places)


def _show(status: "Status", tenant: int, seq: int) -> None:
    status.update(f"verifying tenant {tenant}: seq {seq:,}")


def _ids(tenants: list[str] | None) -> list[int]:
    """Return the ids of the tenants named, else of all."""
    from db.engine import begin
    from db.log import audit

    if tenants:
        return [_id(one) for one in tenants]
    with begin("auditor") as session:
        return audit.tenants(session)


def _id(tenant: str | None) -> int:
    """Return the id of a tenant. An id is used as it is: an auditor need not have the producer's password."""
    return int(tenant) if tenant is not None and tenant.isdigit() else resolve(tenant).id
