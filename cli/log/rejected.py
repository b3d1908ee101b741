"""`activity rejected` and `replay`: what the log refused, and saying it again once the cause is mended."""

from typing import TYPE_CHECKING, Annotated
from uuid import NAMESPACE_OID, uuid5

import typer

from activity.errors import ActivityError, InvalidEvent
from cli.errors import FINDING
from cli.output import Json
from cli.workspace import TenantOption, resolve

if TYPE_CHECKING:
    from activity.event import Event
    from db.log.rejected import Rejected


def rejected(
    tenant: TenantOption = None,
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=1, max=10_000, help="How many, the newest first.")
    ] = 20,
    json: Json = False,
) -> None:
    """Show what the log refused, with the reasons: of a tenant, or of all, those included that name none."""
    import msgspec

    for one in _read(tenant, None, limit):
        typer.echo(
            msgspec.json.encode(one).decode()
            if json
            else f"{one.id:>7}  {one.rejected_at:%Y-%m-%d %H:%MZ}  {one.reason}\n         {one.doc[:200]}"
        )


def replay(
    ids: Annotated[
        list[int] | None,
        typer.Argument(help="Numbers that `activity rejected` shows. Default: all of the tenant."),
    ] = None,
    tenant: TenantOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be said, and say nothing.")
    ] = False,
) -> None:
    """Say refused events again, the oldest first. One whose event_id the log has is passed over, so it is safe to run again.

    To say one otherwise than it was: `activity rejected --json`, change its doc, and pipe that to `activity emit -`.
    """
    if not ids and tenant is None:
        raise ActivityError(
            "name the numbers that `activity rejected` shows, or give --tenant to take all of it"
        )
    left = 0
    for one in reversed(_read(tenant, ids, 10_000)):
        outcome, said = _replay(one, dry_run)
        left += not said
        typer.echo(f"{one.id:>7}  {outcome}")
    if left:
        raise typer.Exit(FINDING)


def _read(tenant: str | None, ids: list[int] | None, limit: int) -> "list[Rejected]":
    from db.engine import begin
    from db.log import rejected as parked

    number = None if tenant is None else resolve(tenant).id
    with begin("auditor") as session:
        found = parked.rejected(session, number, ids or None, limit)
    if missing := sorted(set(ids or []) - {one.id for one in found}):
        raise ActivityError(
            f"nothing refused has the number {', '.join(map(str, missing))}: `activity rejected` shows what there is"
        )
    return found


def _replay(one: "Rejected", dry_run: bool) -> tuple[str, bool]:
    """Say a document's event, unless the log has it; return what came of it, and whether it is in the log or on its way."""
    from db.engine import begin
    from db.log import by_seq
    from worker.emit import emit

    try:
        event = _event(one)
    except InvalidEvent as error:
        return f"cannot be said as it is: {error}", False
    with begin("reader", event.tenant_id) as session:
        stored = by_seq.stored(session, event.tenant_id, [event.event_id]).get(event.event_id)
    if stored is not None:
        conflict = one.reason.startswith("conflict")
        return (
            f"the log has {event.event_id} as seq {stored.seq}{', with another body' if conflict else ''}",
            not conflict,
        )
    if not dry_run:
        with begin("producer", event.tenant_id) as session:
            emit(session, event)
    return f"{'would be ' if dry_run else ''}said: {event.type} {event.event_id}", True


def _event(one: "Rejected") -> "Event":
    """Return the event of a document; one without an id gets a lasting one, so that it is stored once however often it is replayed."""
    import msgspec

    from activity.validation import decode, encode

    try:
        said = msgspec.json.decode(one.doc)
    except msgspec.DecodeError as error:
        raise InvalidEvent("doc", f"no JSON: {error}", "say the event anew with `activity emit`") from None
    if not isinstance(said, dict):
        raise InvalidEvent("doc", "no JSON object", "say the event anew with `activity emit`")
    event = decode({"event_id": str(uuid5(NAMESPACE_OID, f"rejected/{one.id}")), **said})
    encode(event)
    return event
