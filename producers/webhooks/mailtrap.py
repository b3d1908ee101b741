"""Mailtrap: an object with a list of events."""

from typing import Any

from producers.webhooks import read
from producers.webhooks.event import Kind, MailEvent, Provider, Request
from producers.webhooks.signatures import hmac_body

_KINDS: dict[str, Kind] = {
    "delivery": "delivered",
    "open": "opened",
    "click": "clicked",
    "bounce": "bounced",
    "soft bounce": "bounced",
    "suspension": "rejected",
    "unsubscribe": "unsubscribed",
    "spam": "complained",
    "reject": "rejected",
}


def parse(request: Request) -> list[MailEvent]:
    """Read the events of a request."""
    return [_event(item) for item in read.objects_of(read.object_of(read.json_of(request.body)).get("events"))]


def _event(item: Any) -> MailEvent:
    name, event_id = str(item.get("event")), read.text(item.get("event_id"))
    kind = read.kind_of(_KINDS, name)
    recipient, message_id = read.text(item.get("email")), read.text(item.get("message_id"))
    reason = read.text(item.get("response")) or read.text(item.get("reason"))
    return MailEvent(
        kind=kind,
        name=name,
        identity=read.identity(event_id or read.digest(item), name, recipient, message_id),
        recipient=recipient,
        message_id=message_id,
        event_id=event_id,
        occurred_at=read.moment(item.get("timestamp")),
        url=read.text(item.get("url")),
        user_agent=read.text(item.get("user_agent")),
        status=read.status_of(reason),
        reason=reason,
        reject_reason={"bounced": "bounced", "complained": "spam", "unsubscribed": "unsubscribed", "rejected": "other"}.get(kind),
        bounce_type={"bounce": "hard", "soft bounce": "soft"}.get(name, "unknown"),  # type: ignore[arg-type]  # all three are bounce types
        tags=read.texts(item.get("category")),
        metadata=read.object_of(item.get("custom_variables")),
    )


PROVIDER = Provider(parse, hmac_body("mailtrap-signature"), "the webhook's signature secret")
