"""What the recipient of a sequence's mail does with it: opens it, follows a link, leaves. A machine's visit is marked as such."""

from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

from uuid_utils.compat import uuid7

from activity.event import Event
from db.engine import begin
from db.mail import suppression
from db.sequences import sequences
from db.sequences.sequences import Message
from producers.mail.enrollments import SOURCE, event_id, stop
from producers.mail.machine import classify
from producers.sequences.tracking import Target
from worker.emit import emit

_LONGEST_AGENT = 1000


class Visit(NamedTuple):
    """How the recipient came, as the request says."""

    user_agent: str
    referrer: str = ""
    method: str = "GET"


def opened(target: Target, visit: Visit) -> bool:
    """Keep that a mail's pixel was fetched; False where the mail is not known any more."""
    return _keep("email.opened", target, visit, {})


def clicked(target: Target, visit: Visit) -> bool:
    """Keep that a link of a mail was followed; False where the mail is not known any more."""
    return _keep("email.clicked", target, visit, {"url": target.url})


def recipient(target: Target) -> str | None:
    """Return whom a mail was for, or None where it is not known any more."""
    with begin("producer", target.tenant) as session:
        message = sequences.message_by_row(session, target.message)
    return None if message is None else message.recipient


def unsubscribe(target: Target, method: str) -> str | None:
    """Suppress a mail's recipient and end their sequences, said once; return the address, or None where the mail is not known any more."""
    with begin("producer", target.tenant) as session:
        message = sequences.message_by_row(session, target.message)
        if message is None:
            return None
        event = _event(
            "email.unsubscribed",
            message,
            {"method": method},
            event_id(message.tenant_id, "unsubscribed", message.id),
        )
        if suppression.add(
            session, message.tenant_id, message.recipient, "unsubscribed", cause_id=event.event_id
        ):
            emit(session, event)
        stop(session, message.tenant_id, message.contact_id, "unsubscribed", cause_id=event.event_id)
    return message.recipient


def _keep(kind: str, target: Target, visit: Visit, more: dict[str, Any]) -> bool:
    with begin("producer", target.tenant) as session:
        message = sequences.message_by_row(session, target.message)
        if message is None:
            return False
        emit(session, _event(kind, message, more | _verdict(message, visit)))
    return True


def _verdict(message: Message, visit: Visit) -> dict[str, Any]:
    since = None if message.sent_at is None else (datetime.now(UTC) - message.sent_at).total_seconds()
    verdict = classify(
        visit.user_agent, seconds_since_delivery=since, method=visit.method, referrer=visit.referrer or None
    )
    agent = "".join(character if character.isprintable() else " " for character in visit.user_agent)
    evidence = {"method": visit.method, "seconds_since_delivery": since}  # what a later verdict needs
    return {
        "machine": verdict.machine,
        "machine_rule": verdict.rule,
        "user_agent": agent[:_LONGEST_AGENT],
        **evidence,
    }


def _event(kind: str, message: Message, more: dict[str, Any], said_as: UUID | None = None) -> Event:
    payload = {
        "subject": message.subject,
        "recipient": message.recipient,
        "message_id": f"<{message.message_id}>",
        "sequence": message.sequence,
        "step": message.step,
        "variant": message.variant,
        **more,
    }
    return Event(
        tenant_id=message.tenant_id,
        type=kind,
        source=SOURCE,
        account_id=message.account_id,
        contact_id=message.contact_id,
        record_type="thread",
        record_id=message.thread_id,
        cause_id=event_id(message.tenant_id, "sent", message.id),
        event_id=said_as or uuid7(),
        payload=payload,
    )
