"""Put contacts into a sequence: a person, the API or a playbook does. What ends that: producers.mail.enrollments."""

from collections.abc import Sequence
from typing import Literal
from uuid import UUID

from sqlalchemy.orm import Session

from activity.errors import ActivityError
from activity.event import Event
from db.records import records
from db.sequences import sequences
from db.sequences.sequences import Enrolment
from producers.mail.enrollments import enrollment_event, event_id
from worker.emit import emit
from worker.nudge import nudge_after_commit

OnDuplicate = Literal["ignore", "refuse"]


class AlreadyEnrolled(ActivityError):
    """The contact is or was enrolled in the sequence: it goes through it once."""


class ContactUnknown(ActivityError):
    """No contact of the workspace has this id."""


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


def _enrolled(tenant: int, one: Enrolment, by: str, cause_id: UUID | None) -> Event:
    id_ = event_id(tenant, "enrolled", one.id)
    return enrollment_event("sequence.enrolled", tenant, one, id_, cause_id, {}, by=by)
