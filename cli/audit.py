"""`activity verify`, `checkpoint` and `migrate`: is the log whole, and may this program use this database."""

from pathlib import Path
from typing import Annotated

import typer

from activity.errors import ActivityError

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
    reports = []
    with Console(stderr=True).status("verifying") as status:
        for one in tenant or _tenants():
            reports.append(run(one, by_tenant.get(one), lambda seq, one=one: status.update(f"verifying tenant {one}: seq {seq:,}")))  # type: ignore[misc]  # mypy can't type a lambda's default
    for report in reports:
        if not json:
            typer.echo(
                f"tenant {report.tenant_id}: {report.events} events, {'whole' if not report.faults else 'NOT WHOLE'}, head {report.hash[:16]}"
            )
            for fault in report.faults:
                typer.echo(f"  {fault}")
    if json:
        typer.echo(msgspec.json.encode(reports).decode())
    if any(report.faults for report in reports):
        raise typer.Exit(FINDING)


def checkpoint(tenant: Tenants = None) -> None:
    """Print where each log stands, to be kept outside the database: `activity verify --checkpoint FILE` proves that nothing before it changed."""
    import msgspec

    from db import audit
    from db.engine import begin
    from feed.verify import Checkpoint

    with begin("auditor") as session:
        places = [
            Checkpoint(one, seq, hash_.hex()) for one in tenant or audit.tenants(session) for seq, hash_ in [audit.head(session, one)]
        ]
    typer.echo(msgspec.json.encode(places).decode())


def _tenants() -> list[int]:
    from db import audit
    from db.engine import begin

    with begin("auditor") as session:
        return audit.tenants(session)
