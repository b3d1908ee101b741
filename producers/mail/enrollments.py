"""What ends an enrollment, beneath both of its callers: a report about a mail, and the sequence itself."""

from typing import Protocol
from uuid import UUID

from sqlalchemy.orm import Session

from activity.event import Event, system_id
from db.sequences import sequences
from worker.emit import emit

SOURCE = "sequence"
# Any fixed one will do: the ids made of it are the same forever.
_NAMESPACE = UUID("6f1d7c1e-52f1-5a5e-9d1c-5a3d3b0a2f10")


class Subject(Protocol):
    """The contact that an event of a sequence is about."""

    @property
    def tenant_id(self) -> int:
        """The workspace."""

    @property
    def account_id(self) -> str | None:
        """The contact's account."""

    @property
    def contact_id(self) -> str:
        """The contact."""


class EnrollmentSubject(Subject, Protocol):
    """A contact's enrollment in a sequence."""

    @property
    def id(self) -> int:
        """The enrollment."""

    @property
    def sequence_id(self) -> int:
        """The sequence."""

    @property
    def sequence(self) -> str:
        """The sequence's name."""

    @property
    def contact_name(self) -> str:
        """The contact's name, or an empty text."""


def event_id(tenant: int, what: str, row: int) -> UUID:
    """Return the one id of the event that a row makes: emitted again, it is stored once."""
    return system_id(_NAMESPACE, f"{tenant}/{what}/{row}")


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
    emit(session, [finished(one, one.step, reason, one.sent, cause_id) for one in stopped])
    return len(stopped)


def finished(
    one: EnrollmentSubject, step: int, reason: str, sent: int, cause_id: UUID | None = None
) -> Event:
    """Return the event that an enrollment ended; by default its cause is the enrolling."""
    cause = cause_id or event_id(one.tenant_id, "enrolled", one.id)
    more: dict[str, object] = {"reason": reason, "sent": sent, "step": step}
    return enrollment_event("sequence.finished", one, "finished", cause, more)


def enrollment_event(
    kind: str,
    one: EnrollmentSubject,
    what: str,
    cause_id: UUID | None,
    more: dict[str, object],
    *,
    by: str = "system",
) -> Event:
    """Return an event about an enrollment, which emits at most one with the same `what`.

    `more` is what the payload has beyond the names.
    """
    named = {"contact_name": one.contact_name} if one.contact_name else {}
    return sequence_event(
        kind,
        one,
        ("sequence", str(one.sequence_id)),
        event_id(one.tenant_id, what, one.id),
        cause_id,
        {"sequence": one.sequence, **named, **more},
        by=by,
    )


def sequence_event(
    kind: str,
    about: Subject,
    record: tuple[str, str],
    id_: UUID,
    cause_id: UUID | None,
    payload: dict[str, object],
    *,
    by: str = "system",
) -> Event:
    """Return an event of a sequence about a contact; `record` is the type and the id of its record."""
    return Event(
        tenant_id=about.tenant_id,
        type=kind,
        source=SOURCE,
        actor=by,
        account_id=about.account_id,
        contact_id=about.contact_id,
        record_type=record[0],
        record_id=record[1],
        cause_id=cause_id,
        event_id=id_,
        payload=payload,
    )
