"""What the engine says of a mail: each event with an id that its message gives, so that it is stored once however often it is said."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from activity.event import Event
from db.sequences.sending import Due, Mailbox
from db.sequences.sequences import Enrolment, Message
from producers.mail.enrollments import SOURCE, event_id, finished
from producers.sequences.mail import Mail, Outgoing
from producers.sequences.sending.smtp import Refused


def sent(out: Outgoing, mail: Mail, box: Mailbox) -> Event:
    """The mail server took it."""
    payload = {
        "subject": mail.subject,
        "from_address": box.address,
        "to_address": out.due.email,
        "to_name": out.due.contact_name,
        "message_id": f"<{out.message_id}>",
        **_step(out),
    }
    return _of_mail("email.sent", out, payload, event_id(out.due.tenant_id, "enrolled", out.due.id), "sent")


def deferred(out: Outgoing, mail: Mail, reason: str, status: str | None, attempt: int) -> Event:
    """The mail server put it off."""
    said = f"deferred-{attempt}-{out.due.fence}"
    return _of_mail(
        "email.deferred",
        out,
        _answer(out, mail, reason, status) | {"attempt": attempt},
        _enrolled(out.due),
        said,
    )


def bounced(out: Outgoing, mail: Mail, refused: Refused, kind: str) -> Event:
    """The mail server refused it for good."""
    return _of_mail(
        "email.bounced",
        out,
        _answer(out, mail, str(refused), refused.status) | {"bounce_type": kind},
        _enrolled(out.due),
        "bounced",
    )


def _answer(out: Outgoing, mail: Mail, reason: str, status: str | None) -> dict[str, object]:
    said = {
        "subject": mail.subject,
        "recipient": out.due.email,
        "message_id": f"<{out.message_id}>",
        "reason": reason,
        **_step(out),
    }
    return said | ({"status": status} if status else {})


def _step(out: Outgoing) -> dict[str, object]:
    return {"sequence": out.due.sequence, "step": out.step, "variant": out.variant.name}


def _of_mail(kind: str, out: Outgoing, payload: dict[str, object], cause: UUID, said: str) -> Event:
    return Event(
        tenant_id=out.due.tenant_id,
        type=kind,
        source=SOURCE,
        account_id=out.due.account_id,
        contact_id=out.due.contact_id,
        record_type="thread",
        record_id=out.thread_id,
        cause_id=cause,
        event_id=event_id(out.due.tenant_id, said, out.row_id),
        payload=payload,
    )


def skipped(due: Due, step: int, reason: str) -> Event:
    """A mail was due and is not sent."""
    return _of_enrolment(due, "sequence.step_skipped", f"skipped-{step}", {"step": step, "reason": reason})


def undecided(message: Message, reason: str) -> Event:
    """Nobody can know whether a mail was sent."""
    return _of_message(message, "unknown", "system", "sequence.step_skipped", {"reason": reason})


def settled(message: Message, by: str) -> Event:
    """A person found out whether a mail was sent of which nobody could know."""
    if message.state != "sent":
        return _of_message(
            message, "settled", by, "sequence.step_skipped", {"reason": "it was not sent after all"}
        )
    said: dict[str, object] = {
        "subject": message.subject,
        "to_address": message.recipient,
        "message_id": f"<{message.message_id}>",
        "variant": message.variant,
    }
    about: dict[str, Any] = {
        "record_type": "thread",
        "record_id": message.thread_id,
        "occurred_at": message.sent_at,
    }
    return msgspec.structs.replace(_of_message(message, "sent", by, "email.sent", said), **about)


def _of_message(message: Message, said: str, by: str, kind: str, payload: dict[str, object]) -> Event:
    return Event(
        tenant_id=message.tenant_id,
        type=kind,
        source=SOURCE,
        actor=by,
        account_id=message.account_id,
        contact_id=message.contact_id,
        record_type="sequence",
        record_id=str(message.sequence_id),
        cause_id=event_id(message.tenant_id, "enrolled", message.enrolment_id),
        event_id=event_id(message.tenant_id, said, message.id),
        payload={"sequence": message.sequence, "step": message.step, **payload},
    )


def ended(due: Due, step: int, reason: str, sent: int) -> Event:
    """The enrolment is over."""
    one = Enrolment(
        due.id, due.sequence_id, due.sequence, due.contact_id, due.account_id, due.contact_name, step, sent
    )
    return finished(due.tenant_id, one, reason)


def task(due: Due, title: str, number: int, due_at: datetime) -> Event:
    """A manual step is the owner's to do."""
    payload = {
        "title": title,
        "due_at": due_at.isoformat(),
        **({"assignee": due.owner_email} if due.owner_email else {}),
    }
    return Event(
        tenant_id=due.tenant_id,
        type="task.created",
        source=SOURCE,
        account_id=due.account_id,
        contact_id=due.contact_id,
        record_type="task",
        record_id=event_id(due.tenant_id, f"task-{number}", due.id).hex,
        cause_id=_enrolled(due),
        event_id=event_id(due.tenant_id, f"task-{number}", due.id),
        payload=payload,
    )


def mailbox_paused(box: Mailbox, until: datetime | None, reason: str) -> Event:
    """Sending from a mailbox stopped."""
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


def _of_enrolment(due: Due, kind: str, said: str, more: dict[str, object]) -> Event:
    return Event(
        tenant_id=due.tenant_id,
        type=kind,
        source=SOURCE,
        account_id=due.account_id,
        contact_id=due.contact_id,
        record_type="sequence",
        record_id=str(due.sequence_id),
        cause_id=_enrolled(due),
        event_id=event_id(due.tenant_id, said, due.id),
        payload={
            "sequence": due.sequence,
            **({"contact_name": due.contact_name} if due.contact_name else {}),
            **more,
        },
    )
