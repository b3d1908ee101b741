"""Erase a person: everything the records hold of them, and the content of every event about them.

That it was erased, when, by whom and why stays in the log, whose chain still verifies.
"""

from typing import NamedTuple

from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from activity.event import Event
from activity.validation import encode
from db.engine import begin
from db.log.reading import feed
from db.log.reading.filter import Filter
from db.records import erasure, records
from producers.log.appended import wait_for
from worker.emit import emit_encoded


class Erasure(NamedTuple):
    """Whom to erase, for whom, and why. The reason stays in the log: it must hold no personal data.

    Either a contact by id, or who is none, by address: a stranger who wrote, a colleague in copy.
    """

    tenant: int
    contact: str | None
    actor: str
    reason: str | None = None
    request_id: str | None = None
    address: str | None = None


_NO_HASH = "erased:" + "0" * 64  # as long as the hash of an address


def check(wanted: Erasure) -> None:
    """Raise ContactNotFound or InvalidEvent if this cannot be erased."""
    encode(_event(wanted, _NO_HASH))
    if wanted.contact is None:
        return
    with begin("reader", wanted.tenant) as session:
        known = (
            records.get(session, wanted.tenant, records.Contact, wanted.contact)
            or feed.older(session, wanted.tenant, Filter(contact=wanted.contact), None, 1).events
        )
    if not known:
        raise records.ContactNotFound(
            f"nothing is known of a contact {wanted.contact!r}: give the id, as for `activity feed --contact`"
        )


def erase(wanted: Erasure) -> int:
    """Erase a person for good; return how many events lost their content. Safe to repeat after any failure.

    Raises AppendFailed if the append task does not run.
    """
    with begin("producer", wanted.tenant) as session:
        hash_ = _forget(session, wanted)
        event = _event(wanted, hash_)
        emit_encoded(session, [(wanted.tenant, encode(event))])
    # Once this event is in the log, so is all that was emitted of the person before: nothing is appended
    # after the payloads were emptied.
    wait_for(event)
    with begin("eraser") as session:
        return erasure.erase(
            session,
            wanted.tenant,
            wanted.contact,
            uuid7(),
            wanted.actor,
            wanted.reason,
            wanted.request_id,
            hash_,
        )


def _forget(session: Session, wanted: Erasure) -> str | None:
    """Delete what is kept of a person; return the hash of an address that is no contact's."""
    if wanted.address is not None:
        return erasure.forget_address(session, wanted.tenant, wanted.address)
    assert wanted.contact is not None
    erasure.forget(session, wanted.tenant, wanted.contact)
    return None


def _event(wanted: Erasure, hash_: str | None) -> Event:
    payload = {"reason": wanted.reason, "request_id": wanted.request_id}
    return Event(
        tenant_id=wanted.tenant,
        type="contact.erased",
        payload={name: value for name, value in payload.items() if value is not None},
        source="erasure",
        actor=wanted.actor,
        contact_id=wanted.contact,
        record_type=None if wanted.contact else "address",
        record_id=None if wanted.contact else hash_,
    )
