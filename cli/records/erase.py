"""`activity erase`: what is kept of a person goes; that it went, when, by whom and why stays in the log, whose chain still verifies."""

from typing import TYPE_CHECKING, Annotated

import typer

from activity.errors import ActivityError
from cli.output import Json, print_one
from cli.workspace import TenantOption, resolve

if TYPE_CHECKING:
    from activity.event import Event


def erase(
    contact: Annotated[str, typer.Argument(help="The contact's id.")],
    actor: Annotated[str, typer.Option(help="Who erases: an e-mail address.")],
    tenant: TenantOption = None,
    reason: Annotated[
        str | None,
        typer.Option(help="Why, such as 'request of the person'. It stays in the log: no personal data."),
    ] = None,
    request_id: Annotated[str | None, typer.Option(help="The request in your privacy register.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    json: Json = False,
) -> None:
    """Erase a person for good: the contact's record, and the content of every event about the contact. Safe to run again."""
    from uuid_utils.compat import uuid7

    from activity.settings import settings
    from db.engine import begin
    from db.records import erasure
    from producers.log.appended import wait_for

    settings().required("eraser_password")
    found = resolve(tenant)
    event = _event(found.id, contact, actor, reason, request_id)
    _check_known(found.id, contact)
    if not yes:
        typer.confirm(
            f"Erase the contact {contact} of {found.slug} and the content of their events? It cannot be undone",
            abort=True,
        )
    _forget(event)
    wait_for(
        event
    )  # what was said of them before is in the log now, so nothing is stored after its payloads were emptied
    with begin("eraser") as session:
        events = erasure.erase(session, found.id, contact, uuid7(), actor, reason, request_id)
    print_one({"contact": contact, "events": events}, f"erased; {events} events lost their content", json)


def _event(tenant: int, contact: str, actor: str, reason: str | None, request_id: str | None) -> "Event":
    from activity.event import Event
    from activity.validation import encode

    payload = {
        name: value for name, value in (("reason", reason), ("request_id", request_id)) if value is not None
    }
    event = Event(
        tenant_id=tenant,
        type="contact.erased",
        payload=payload,
        source="erasure",
        actor=actor,
        contact_id=contact,
    )
    encode(event)  # refused before anything is erased
    return event


def _check_known(tenant: int, contact: str) -> None:
    from db.engine import begin
    from db.log import events
    from db.records import records

    with begin("reader", tenant) as session:
        known = (
            records.get(session, tenant, records.Contact, contact)
            or events.look(session, tenant, events.Filter(contact=contact), None, 1).events
        )
    if not known:
        raise ActivityError(
            f"nothing is known of a contact {contact!r}: give the id, as `activity feed --contact` takes it"
        )


def _forget(event: "Event") -> None:
    """Delete what is kept of the contact outside the log, and say so, in one transaction."""
    from db.engine import begin
    from db.records import erasure
    from worker.emit import emit

    assert event.contact_id is not None
    with begin("producer", event.tenant_id) as session:
        erasure.forget(session, event.tenant_id, event.contact_id)
        emit(session, event)
