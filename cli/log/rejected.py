"""`activity rejected` and `replay`: what the log rejected, and emitting it again once the cause is mended."""

from typing import TYPE_CHECKING, Annotated

import typer

from activity.errors import ActivityError
from cli.errors import FINDING
from cli.output import Json, print_each
from cli.workspace import TenantOption, resolve

if TYPE_CHECKING:
    from db.log.rejected import Rejected


def rejected(
    tenant: TenantOption = None,
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=1, max=10_000, help="How many, the newest first.")
    ] = 20,
    json: Json = False,
) -> None:
    """Show what the log rejected, with the reasons. Without --tenant: of all, and what names no tenant."""
    print_each(_read(tenant, None, limit), _lines, json)


def _lines(one: "Rejected") -> str:
    return f"{one.id:>7}  {one.rejected_at:%Y-%m-%d %H:%MZ}  {one.reason}\n         {one.doc[:200]}"


def replay(
    ids: Annotated[
        list[int] | None,
        typer.Argument(help="Numbers that `activity rejected` shows. Default: all of the tenant."),
    ] = None,
    tenant: TenantOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would be emitted, and emit nothing.")
    ] = False,
) -> None:
    """Emit rejected events again, the oldest first. Safe to run again: an event that the log has is skipped.

    To change one first: `activity rejected --json`, edit its doc, and pipe that to `activity emit -`.
    """
    from producers.log.replay import replay as replay_one

    if not ids and tenant is None:
        raise ActivityError(
            "name the numbers that `activity rejected` shows, or give --tenant to replay all of its"
        )
    failed = False
    for one in reversed(_read(tenant, ids, 10_000)):
        outcome = replay_one(one, dry_run=dry_run)
        failed |= not outcome.accepted
        typer.echo(f"{one.id:>7}  {outcome.text}")
    if failed:
        raise typer.Exit(FINDING)


def _read(tenant: str | None, ids: list[int] | None, limit: int) -> "list[Rejected]":
    from db.engine import begin
    from db.log import rejected as log

    number = None if tenant is None else resolve(tenant).id
    with begin("auditor") as session:
        found = log.rejected(session, number, ids or None, limit)
    if missing := sorted(set(ids or []) - {one.id for one in found}):
        raise ActivityError(
            f"no rejected event has the number {', '.join(map(str, missing))}: `activity rejected` lists them"
        )
    return found
