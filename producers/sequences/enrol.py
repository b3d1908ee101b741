"""Who goes through a sequence: enrolled by a person, the API or a playbook, and taken out by whatever ends it."""

from collections.abc import Sequence
from typing import Literal
from uuid import UUID, uuid5

from sqlalchemy.orm import Session

from activity.errors import ActivityError
from activity.event import Event
from db.records import records
from db.sequences import sequences
from db.sequences.sequences import Enrolment
from worker.emit import emit
from worker.nudge import nudge_after_commit

SOURCE = "sequence"
_NAMESPACE = UUID(
    "6f1d7c1e-52f1-5a5e-9d1c-5a3d3b0a2f10"
)  # any fixed one: ids made of it are the same for ever

OnDuplicate = Literal["ignore", "refuse"]


class AlreadyEnrolled(ActivityError):
    """The contact is or was enrolled in the sequence: it goes through it once."""


class ContactUnknown(ActivityError):
    """No contact of the workspace has this id."""


def event_id(tenant: int, what: str, row: int) -> UUID:
    """Return the one id of an event that a row of ours makes: said again, it is stored once."""
    return uuid5(_NAMESPACE, f"{tenant}/{what}/{row}")


def enrol(
    session: Session,
    tenant: int,
    sequence_id: int,
    contact_id: str,
    *,
    by: str,
    cause_id: UUID | None = None,
    on_duplicate: OnDuplicate = "ignore",
) -> int | None:
    """Enrol a contact and say so, in the session's transaction; return the enrolment's id, or None where the contact was enrolled before.

    `by` is a user's e-mail address or "system". Raises SequenceUnknown, ContactUnknown, and with on_duplicate="refuse" AlreadyEnrolled.
    """
    made = enrol_many(session, tenant, sequence_id, [contact_id], by=by, cause_id=cause_id)
    if made:
        return made[0].id
    if records.get(session, tenant, records.Contact, contact_id) is None:
        raise ContactUnknown(f"no contact {contact_id!r}: add it first")
    if on_duplicate == "refuse":
        raise AlreadyEnrolled(
            f"contact {contact_id!r} is or was enrolled in this sequence: a contact goes through a sequence once"
        )
    return None


def enrol_many(
    session: Session,
    tenant: int,
    sequence_id: int,
    contacts: Sequence[str],
    *,
    by: str,
    cause_id: UUID | None = None,
) -> list[Enrolment]:
    """Enrol many contacts at once and return those that are new; who is enrolled already or does not exist is left out."""
    sequences.find(session, tenant, sequence_id)
    made = sequences.enrol(session, tenant, sequence_id, contacts, by)
    emit(session, [_enrolled(tenant, one, by, cause_id) for one in made])
    nudge_after_commit(session, "sequence.send")
    return made


def stop(
    session: Session,
    tenant: int,
    contact_id: str,
    reason: str,
    *,
    sequence_id: int | None = None,
    cause_id: UUID | None = None,
) -> int:
    """End the contact's way through every sequence, or through one, from this transaction's commit on; return how many it ended.

    `reason` is a word or a few for people: replied, bounced, unsubscribed. A mail that is on its way to the mail server still arrives.
    """
    stopped = sequences.stop(session, tenant, contact_id, reason, sequence_id)
    emit(session, [finished(tenant, one, reason, cause_id) for one in stopped])
    return len(stopped)


def _enrolled(tenant: int, one: Enrolment, by: str, cause_id: UUID | None) -> Event:
    return _event("sequence.enrolled", tenant, one, {}, cause_id, event_id(tenant, "enrolled", one.id), by)


def finished(tenant: int, one: Enrolment, reason: str, cause_id: UUID | None = None) -> Event:
    """Return the event that says that an enrolment ended; by default the enrolling is its cause."""
    more = {"reason": reason, "sent": one.sent, "step": one.step}
    return _event(
        "sequence.finished",
        tenant,
        one,
        more,
        cause_id or event_id(tenant, "enrolled", one.id),
        event_id(tenant, "finished", one.id),
    )


def _event(
    kind: str,
    tenant: int,
    one: Enrolment,
    more: dict[str, object],
    cause: UUID | None,
    said_as: UUID,
    by: str = "system",
) -> Event:
    return Event(
        tenant_id=tenant,
        type=kind,
        source=SOURCE,
        actor=by,
        account_id=one.account_id,
        contact_id=one.contact_id,
        record_type="sequence",
        record_id=str(one.sequence_id),
        cause_id=cause,
        event_id=said_as,
        payload={
            "sequence": one.sequence,
            **({"contact_name": one.contact_name} if one.contact_name else {}),
            **more,
        },
    )
