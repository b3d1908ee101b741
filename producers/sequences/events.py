"""The engine's events about a mail.

Each has an id made of the row it is about, so that it is stored once however often it is emitted.
"""

from datetime import datetime
from uuid import UUID

import msgspec

from activity.event import Event
from db.sequences.due import Due
from db.sequences.limits import Mailbox
from db.sequences.messages import SequenceMessage
from producers.mail.enrollments import SOURCE, enrollment_event, event_id, sequence_event
from producers.sequences.mail import ComposedMail, Outgoing
from producers.sequences.sending.smtp import Refused


def sent(out: Outgoing, mail: ComposedMail, box: Mailbox) -> Event:
    """Return the event that the mail server accepted a mail."""
    payload = {
        "subject": mail.subject,
        "from_address": box.address,
        "to_address": out.due.email,
        "to_name": out.due.contact_name,
        "message_id": f"<{out.message_id}>",
        **_step(out),
    }
    return _of_mail("email.sent", out, payload, "sent")


def deferred(out: Outgoing, mail: ComposedMail, reason: str, status: str | None, attempt: int) -> Event:
    """Return the event that the mail server deferred a mail."""
    payload = _answer(out, mail, reason, status) | {"attempt": attempt}
    return _of_mail("email.deferred", out, payload, f"deferred-{attempt}-{out.due.fence}")


def bounced(out: Outgoing, mail: ComposedMail, refused: Refused, kind: str) -> Event:
    """Return the event that the mail server refused a mail permanently."""
    payload = _answer(out, mail, str(refused), refused.status) | {"bounce_type": kind}
    return _of_mail("email.bounced", out, payload, "bounced")


def _answer(out: Outgoing, mail: ComposedMail, reason: str, status: str | None) -> dict[str, object]:
    answer = {
        "subject": mail.subject,
        "recipient": out.due.email,
        "message_id": f"<{out.message_id}>",
        "reason": reason,
        **_step(out),
    }
    return answer | ({"status": status} if status else {})


def _step(out: Outgoing) -> dict[str, object]:
    return {"sequence": out.due.sequence, "step": out.step, "variant": out.variant.name}


def _of_mail(kind: str, out: Outgoing, payload: dict[str, object], what: str) -> Event:
    id_ = event_id(out.due.tenant_id, what, out.row_id)
    return sequence_event(kind, out.due, ("thread", out.thread_id), id_, _enrolled(out.due), payload)


def skipped(due: Due, step: int, reason: str) -> Event:
    """Return the event that a mail was due and is not sent."""
    more: dict[str, object] = {"step": step, "reason": reason}
    return enrollment_event("sequence.step_skipped", due, f"skipped-{step}", _enrolled(due), more)


def undecided(message: SequenceMessage, reason: str) -> Event:
    """Return the event that a mail may or may not have been sent."""
    return _of_message("sequence.step_skipped", message, "unknown", {"reason": reason})


def settled(message: SequenceMessage, by: str) -> Event:
    """Return the event that a person found out whether an unknown mail was sent."""
    if message.state != "sent":
        reason = "it was not sent after all"
        return _of_message("sequence.step_skipped", message, "settled", {"reason": reason}, by=by)
    payload: dict[str, object] = {
        "subject": message.subject,
        "to_address": message.recipient,
        "message_id": f"<{message.message_id}>",
        "variant": message.variant,
    }
    event = _of_message("email.sent", message, "sent", payload, by=by, record=("thread", message.thread_id))
    return event if message.sent_at is None else msgspec.structs.replace(event, occurred_at=message.sent_at)


def _of_message(
    kind: str,
    message: SequenceMessage,
    what: str,
    more: dict[str, object],
    *,
    by: str = "system",
    record: tuple[str, str] | None = None,
) -> Event:
    return sequence_event(
        kind,
        message,
        record or ("sequence", str(message.sequence_id)),
        event_id(message.tenant_id, what, message.id),
        event_id(message.tenant_id, "enrolled", message.enrolment_id),
        {"sequence": message.sequence, "step": message.step, **more},
        by=by,
    )


def task(due: Due, title: str, number: int, due_at: datetime) -> Event:
    """Return the event that a manual step is the owner's to do."""
    assignee = {"assignee": due.owner_email} if due.owner_email else {}
    payload: dict[str, object] = {"title": title, "due_at": due_at.isoformat(), **assignee}
    id_ = event_id(due.tenant_id, f"task-{number}", due.id)
    return sequence_event("task.created", due, ("task", id_.hex), id_, _enrolled(due), payload)


def mailbox_paused(box: Mailbox, until: datetime | None, reason: str) -> Event:
    """Return the event that sending from a mailbox stopped."""
    payload = {"mailbox": box.address, "reason": reason, **({"until": until.isoformat()} if until else {})}
    return Event(
        tenant_id=box.tenant_id,
        type="mailbox.paused",
        source=SOURCE,
        record_type="mailbox",
        record_id=str(box.id),
        payload=payload,
    )


def _enrolled(due: Due) -> UUID:
    return event_id(due.tenant_id, "enrolled", due.id)
