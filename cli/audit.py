"""`activity verify`, `checkpoint` and `migrate`: is the log whole, and may this program use this database."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from activity.errors import ActivityError

if TYPE_CHECKING:
    from rich.status import Status

FINDING = 1

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Tenants = Annotated[list[int] | None, typer.Option("--tenant", help="Only this tenant; may be repeated. Default: every tenant.")]


def migrate(json: Json = False) -> None:
    """Bring the database to this version's schema. Safe to run twice, and at the same time."""
    from db.migrate import migrate as run

    revision = run()
    typer.echo(f'{{"revision": "{revision}"}}' if json else f"the database is at revision {revision}")


def verify(
    tenant: Tenants = None,
    checkpoint: Annotated[Path | None, typer.Option(help="What `activity checkpoint` wrote earlier.")] = None,
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
        raise ActivityError(f"{checkpoint} is no checkpoint file: {error}") from None
    by_tenant = {one.tenant_id: one for one in known}
    with Console(stderr=True).status("verifying") as status:
        reports = [run(one, by_tenant.get(one), partial(_show, status, one)) for one in tenant or _tenants()]
    for report in [] if json else reports:
        found = "whole" if not report.faults else "NOT WHOLE"
        typer.echo(f"tenant {report.tenant_id}: {report.events} events, {found}, head {report.hash[:16]}")
        for fault in report.faults:
            typer.echo(f"  {fault}")
    if json:
        typer.echo(msgspec.json.encode(reports).decode())
    if any(report.faults for report in reports):
        raise typer.Exit(FINDING)


def checkpoint(tenant: Tenants = None) -> None:
    """Print where each log stands, to be kept outside the database: `verify --checkpoint` proves that nothing before it changed."""
    import msgspec

    from db import audit
    from db.engine import begin
    from feed.verify import Checkpoint

    with begin("auditor") as session:
        places = [
            Checkpoint(one, seq, hash_.hex()) for one in tenant or audit.tenants(session) for seq, hash_ in [audit.head(session, one)]
        ]
    typer.echo(msgspec.json.encode(places).decode())


def _show(status: "Status", tenant: int, seq: int) -> None:
    status.update(f"verifying tenant {tenant}: seq {seq:,}")


def _tenants() -> list[int]:
    from db import audit
    from db.engine import begin

    with begin("auditor") as session:
        return audit.tenants(session)
