"""Mailtrap: an object with a list of events."""

from typing import Any

from producers.mail import reading
from producers.mail.event import MailEvent, ReportKind
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


def parse(request: Request) -> list[MailEvent]:
    """Read the events of a request."""
    return [
        _event(item)
        for item in reading.objects_of(reading.object_of(reading.json_of(request.body)).get("events"))
    ]


def _event(item: Any) -> MailEvent:
    name, event_id = str(item.get("event")), reading.text(item.get("event_id"))
    kind = reading.kind_of(_KINDS, name)
    recipient, message_id = reading.text(item.get("email")), reading.text(item.get("message_id"))
    reason = reading.text(item.get("response")) or reading.text(item.get("reason"))
    return MailEvent(
        kind=kind,
        name=name,
        identity=reading.identity(event_id or reading.digest(item), name, recipient, message_id),
        recipient=recipient,
        message_id=message_id,
        event_id=event_id,
        occurred_at=reading.moment(item.get("timestamp")),
        url=reading.text(item.get("url")),
        user_agent=reading.text(item.get("user_agent")),
        status=reading.status_of(reason),
        reason=reason,
        reject_reason={
            "bounced": "bounced",
            "complained": "spam",
            "unsubscribed": "unsubscribed",
            "rejected": "other",
        }.get(kind),
        bounce_type={"bounce": "hard", "soft bounce": "soft"}.get(name, "unknown"),  # type: ignore[arg-type]  # all three are bounce types
        tags=reading.texts(item.get("category")),
        metadata=reading.object_of(item.get("custom_variables")),
    )


PROVIDER = WebhookProvider(parse, hmac_body("mailtrap-signature"), "the webhook's signature secret")
