"""Resend, and any signer of Standard Webhooks that reports e-mail in the same shape."""

from typing import Any

from producers.mail import reading
from producers.mail.event import MailEvent, ReportKind
from producers.mail.webhooks.request import Request, WebhookProvider
from producers.mail.webhooks.signatures import standard_webhooks

_KINDS: dict[str, ReportKind] = {
    "email.sent": "sent",
    "email.scheduled": "queued",
    "email.delivered": "delivered",
    "email.delivery_delayed": "deferred",
    "email.deferred": "deferred",
    "email.complained": "complained",
    "email.bounced": "bounced",
    "email.opened": "opened",
    "email.clicked": "clicked",
    "email.failed": "failed",
    "email.suppressed": "rejected",
    "email.rejected": "rejected",
    "email.unsubscribed": "unsubscribed",
}


def parse(request: Request) -> list[MailEvent]:
    """Read the event of a request: one for each of its recipients."""
    if not request.body.strip():
        return []
    body = reading.object_of(reading.json_of(request.body))
    data = reading.object_of(body.get("data"))
    request_id = next(
        (found for name in ("webhook-id", "svix-id") if (found := request.headers.get(name))), None
    )
    to = (
        reading.texts(data.get("to"))
        or reading.texts(data.get("recipient"))
        or reading.texts(data.get("email"))
        or (None,)
    )
    return [_event(body, data, recipient, request_id) for recipient in to]


def _event(body: Any, data: Any, recipient: str | None, request_id: str | None) -> MailEvent:
    name = str(body.get("type"))
    kind = reading.kind_of(_KINDS, name)
    engagement = reading.object_of(data.get("click")) or reading.object_of(data.get("open"))
    bounce = (
        reading.object_of(data.get("bounce"))
        or reading.object_of(data.get("failed"))
        or reading.object_of(data.get("suppressed"))
    )
    message_id = reading.text(data.get("email_id")) or reading.text(data.get("message_id"))
    headers = {
        str(one.get("name")).lower(): one.get("value") for one in reading.objects_of(data.get("headers"))
    }
    reason = reading.text(bounce.get("message")) or reading.text(bounce.get("reason"))
    return MailEvent(
        kind=kind,
        name=name,
        identity=reading.identity(request_id or reading.digest(body), name, recipient, message_id),
        recipient=recipient,
        message_id=message_id,
        header_id=reading.clean_id(headers.get("message-id")) or _header_id(data.get("message_id")),
        event_id=request_id,
        occurred_at=reading.moment(
            engagement.get("timestamp"), body.get("created_at"), body.get("timestamp"), data.get("created_at")
        ),
        url=reading.text(engagement.get("link"))
        or reading.text(data.get("url"))
        or reading.text(data.get("link")),
        user_agent=reading.text(engagement.get("userAgent")) or reading.text(data.get("user_agent")),
        status=reading.status_of(reason),
        reason=reason,
        reject_reason="bounced" if kind == "bounced" else None,
        bounce_type="unknown"
        if kind != "bounced"
        else "soft"
        if bounce.get("type") in ("Transient", "Temporary", "soft")
        else "hard",
        subject=reading.text(data.get("subject")),
        tags=_tags(data.get("tags")),
        metadata=reading.object_of(data.get("metadata")),
    )


def _header_id(value: Any) -> str | None:
    found = reading.text(value)
    return reading.clean_id(found) if found and "@" in found else None


def _tags(value: Any) -> tuple[str, ...]:
    if isinstance(value, dict):
        return tuple(f"{name}={said}" for name, said in value.items())
    named = tuple(f"{one.get('name')}={one.get('value')}" for one in reading.objects_of(value))
    return named or reading.texts(value)


PROVIDER = WebhookProvider(parse, standard_webhooks, "the signing secret, whsec_...")
