"""The event that a report makes."""

import hashlib
import math
import re
from datetime import UTC, datetime
from uuid import UUID

import msgspec

from activity.event import Event
from activity.validation import EARLIEST, LATEST
from producers.mail.event import MailEvent
from producers.mail.machine import classify
from producers.mail.matching import KnownMails, ReportMatch, named_address, seconds_since_delivery

_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_MAX_METADATA = 20  # entries of what the sender added
_MAX_CHARACTERS = {"reason": 4000, "user_agent": 4000, "excerpt": 4000, "url": 8192}
_MAX_BYTES = 60_000


def event_of(
    tenant: int,
    source: str,
    provider: str,
    id_: UUID,
    event: MailEvent,
    match: ReportMatch,
    known: KnownMails,
) -> Event:
    """Return the event that a report makes, whether or not its mail is known."""
    sent, contact = match.sent, match.contact
    moment = event.occurred_at
    return Event(
        tenant_id=tenant,
        type=event.event_type,
        payload=_fitting(_payload(provider, event, match, known)),
        source=source,
        account_id=contact.account_id if contact else None,
        contact_id=contact.contact_id if contact else None,
        record_type="thread" if sent else "message",
        record_id=sent.thread_id if sent else _record_id(event, id_),
        occurred_at=moment if moment and EARLIEST <= moment < LATEST else datetime.now(UTC),
        event_id=id_,
    )


def _record_id(event: MailEvent, id_: UUID) -> str:
    """Return what names a mail that the engine did not send.

    Its id at the provider, or the digest of a long one.
    """
    found = event.message_id or event.header_id or str(id_)
    if len(found) <= 320 and not _CONTROL.search(found):
        return found
    return hashlib.sha256(found.encode("utf-8", "replace")).hexdigest()


def _payload(provider: str, event: MailEvent, match: ReportMatch, known: KnownMails) -> dict[str, object]:
    sent = match.sent
    own_id = f"<{sent.message_id}>" if sent and match.by == "message_id" else None
    # Whose mail it was tells who may read what came of it.
    of_step = (
        {"sequence": sent.sequence, "step": sent.step, "variant": sent.variant, "mailbox": sent.mailbox}
        if sent
        else {}
    )
    return {
        "subject": (sent.subject if sent else None) or event.subject,
        "recipient": named_address(event.recipient),
        "message_id": own_id or event.header_id or event.message_id,
        "provider": provider,
        "kind": event.kind,
        "provider_message_id": event.message_id,
        "provider_event_id": event.event_id,
        "provider_request_id": event.request_id,
        "status": event.status,
        "reason": event.reason,
        "reject_reason": event.reject_reason,
        "user_agent": event.user_agent,
        "matched_by": match.by,
        "tags": list(event.tags),
        "metadata": dict(event.metadata),
        **of_step,
        **_particulars(event, match, known),
    }


def _particulars(event: MailEvent, match: ReportMatch, known: KnownMails) -> dict[str, object]:
    """Return what only this type of event has."""
    match event.event_type:
        case "email.opened" if event.kind == "read":  # a person's program sent it, asked or not
            return {"machine": None, "machine_rule": "read receipt"}
        case "email.opened":
            return _engagement(event, match, known)
        case "email.clicked":
            return _engagement(event, match, known) | {"url": event.url or ""}
        case "email.bounced":
            return {"bounce_type": event.bounce_type}
        case "email.complained":
            return {"feedback_type": event.feedback_type}
        case "email.unsubscribed" | "email.subscribed":
            return {"method": event.method or "provider"}
        case "email.sent":
            return {"to_address": named_address(event.recipient)}
    return dict(event.extra)


def _engagement(event: MailEvent, match: ReportMatch, known: KnownMails) -> dict[str, object]:
    since = seconds_since_delivery(event, match, known)
    verdict = classify(event.user_agent, provider_flag=event.machine, seconds_since_delivery=since)
    return {
        "machine": verdict.machine,
        "machine_rule": verdict.rule,
        "provider_machine": event.machine,
        "seconds_since_delivery": since,
    }


def _fitting(payload: dict[str, object]) -> dict[str, object]:
    """Return a payload that an event can hold.

    Printable texts no longer than their field, small enough together.
    """
    fitted = {name: _clipped(value, _MAX_CHARACTERS.get(name, 500)) for name, value in payload.items()}
    if len(msgspec.json.encode(fitted)) > _MAX_BYTES:
        fitted = {name: _clipped(value, 200) for name, value in payload.items()}
    return {
        name: value
        for name, value in fitted.items()
        if value not in (None, "", [], {}) or name in ("machine", "url")
    }


def _clipped(value: object, limit: int) -> object:
    if isinstance(value, str):
        return _UNPRINTABLE.sub("", value)[:limit]
    if isinstance(value, dict):
        entries = list(value.items())[:_MAX_METADATA]
        return {_clipped(str(name), 100): _clipped_inside(inner) for name, inner in entries}
    if isinstance(value, list):
        return [_clipped_inside(inner) for inner in value[:_MAX_METADATA]]
    return value


def _clipped_inside(value: object) -> object:
    """Return a value of the sender's own.

    A number, a boolean or a short text; what is nested or huge becomes text.
    """
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, (bool, float)) or (isinstance(value, int) and abs(value) < 2**53):
        return value
    return _clipped(value if isinstance(value, str) else msgspec.json.encode(value).decode(), 300)
