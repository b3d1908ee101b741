"""Mailtrap: an object with a list of events."""

from typing import Any

from producers.mail import reading
from producers.mail.event import BounceType, MailEvent, ReportKind
from producers.mail.webhooks.fields import REJECT_REASONS, Fields, at, mail_event, text_at
from producers.mail.webhooks.request import Request, WebhookProvider
from producers.mail.webhooks.signatures import hmac_body

_KINDS: dict[str, ReportKind] = {
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


_BOUNCES: dict[str, BounceType] = {"bounce": "hard", "soft bounce": "soft"}
_FIELDS: Fields = {
    "recipient": "email",
    "message_id": "message_id",
    "event_id": "event_id",
    "occurred_at": "timestamp",
    "url": "url",
    "user_agent": "user_agent",
    "reason": ("response", "reason"),
    "tags": "category",
    "metadata": "custom_variables",
}


def parse(request: Request) -> list[MailEvent]:
    """Read the events of a request."""
    return [_event(item) for item in reading.objects_of(at(reading.json_of(request.body), "events"))]


def _event(item: Any) -> MailEvent:
    name, kind = str(item.get("event")), reading.kind_of(_KINDS, item.get("event"))
    event_id, recipient, message_id = (text_at(item, key) for key in ("event_id", "email", "message_id"))
    return mail_event(
        _KINDS,
        name,
        item,
        _FIELDS,
        identity=reading.identity(event_id or reading.digest(item), name, recipient, message_id),
        reject_reason="other" if kind == "rejected" else REJECT_REASONS.get(kind),
        bounce_type=_BOUNCES.get(name, "unknown"),
    )


PROVIDER = WebhookProvider(parse, hmac_body("mailtrap-signature"), "the webhook's signature secret")
