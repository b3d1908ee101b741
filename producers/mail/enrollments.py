"""What ends an enrollment, beneath both of its callers: a report about a mail, and the sequence itself."""

from uuid import UUID, uuid5

from sqlalchemy.orm import Session

from activity.event import Event
from db.sequences import sequences
from db.sequences.sequences import Enrolment
from worker.emit import emit

SOURCE = "sequence"
# Any fixed one will do: the ids made of it are the same forever.
_NAMESPACE = UUID("6f1d7c1e-52f1-5a5e-9d1c-5a3d3b0a2f10")


def event_id(tenant: int, what: str, row: int) -> UUID:
    """Return the one id of the event that a row makes: emitted again, it is stored once."""
    return uuid5(_NAMESPACE, f"{tenant}/{what}/{row}")


def stop(
    session: Session,
    tenant: int,
    contact_id: str,
    reason: str,
    *,
    sequence_id: int | None = None,
    cause_id: UUID | None = None,
) -> int:
    """End the contact's enrollments, all or those in one sequence; return how many ended.

    They end with this transaction's commit; a mail that is on its way to the mail server still arrives.
    `reason` is a word or a few for people: replied, bounced, unsubscribed.
    """
    stopped = sequences.stop(session, tenant, contact_id, reason, sequence_id)
    emit(session, [finished(tenant, one, reason, cause_id) for one in stopped])
    return len(stopped)


def finished(tenant: int, one: Enrolment, reason: str, cause_id: UUID | None = None) -> Event:
    """Return the event that an enrollment ended; by default its cause is the enrolling."""
    enrolled = event_id(tenant, "enrolled", one.id)
    more = {"reason": reason, "sent": one.sent, "step": one.step}
    return enrollment_event(
        "sequence.finished", tenant, one, event_id(tenant, "finished", one.id), cause_id or enrolled, more
    )


def enrollment_event(
    kind: str,
    tenant: int,
    one: Enrolment,
    id_: UUID,
    cause_id: UUID | None,
    more: dict[str, object],
    *,
    by: str = "system",
) -> Event:
    """Return an event about an enrollment; `more` is what its payload has beyond the names."""
    named = {"contact_name": one.contact_name} if one.contact_name else {}
    return Event(
        tenant_id=tenant,
        type=kind,
        source=SOURCE,
        actor=by,
        account_id=one.account_id,
        contact_id=one.contact_id,
        record_type="sequence",
        record_id=str(one.sequence_id),
        cause_id=cause_id,
        event_id=id_,
        payload={"sequence": one.sequence, **named, **more},
    )
