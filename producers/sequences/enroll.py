"""Put contacts into a sequence, for a person, the API or a playbook.

What ends that is in producers.mail.enrollments.
"""

from collections.abc import Sequence
from typing import Literal
from uuid import UUID

from sqlalchemy.orm import Session

from activity.errors import ActivityError
from db.records import records
from db.sequences import sequences
from db.sequences.sequences import Enrollment
from producers.mail.enrollments import enrollment_event
from worker.emit import emit
from worker.nudge import nudge_after_commit

OnDuplicate = Literal["ignore", "refuse"]


class EnrollmentConflict(ActivityError):
    """The contact is or was enrolled in the sequence: it goes through it once."""


def enroll(
    session: Session,
    tenant: int,
    sequence_id: int,
    contact_id: str,
    *,
    by: str,
    cause_id: UUID | None = None,
    on_duplicate: OnDuplicate = "ignore",
) -> int | None:
    """Enroll a contact and emit the event, in the session's transaction.

    Return the enrollment's id, or None where the contact was enrolled before. `by` is a user's e-mail address
    or "system". Raises SequenceNotFound, ContactNotFound, and with on_duplicate="refuse" EnrollmentConflict.
    """
    made = enroll_many(session, tenant, sequence_id, [contact_id], by=by, cause_id=cause_id)
    if made:
        return made[0].id
    if records.get(session, tenant, records.Contact, contact_id) is None:
        raise records.ContactNotFound(f"no contact {contact_id!r}: add it first")
    if on_duplicate == "refuse":
        raise EnrollmentConflict(
            f"contact {contact_id!r} is or was enrolled in this sequence: "
            "a contact goes through a sequence once"
        )
    return None


def enroll_many(
    session: Session,
    tenant: int,
    sequence_id: int,
    contacts: Sequence[str],
    *,
    by: str,
    cause_id: UUID | None = None,
) -> list[Enrollment]:
    """Enroll many contacts at once, and return the enrollments that are new.

    Contacts that were enrolled before or do not exist are left out. Raises SequenceNotFound.
    """
    sequences.find(session, tenant, sequence_id)
    made = sequences.enroll(session, tenant, sequence_id, contacts, by)
    emit(
        session,
        [enrollment_event("sequence.enrolled", one, "enrolled", cause_id, {}, by=by) for one in made],
    )
    nudge_after_commit(session, "sequence.send")
    return made
