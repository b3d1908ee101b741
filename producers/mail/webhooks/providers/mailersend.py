"""MailerSend: one event a request, signed with an HMAC of the body."""

from producers.mail import reading
from producers.mail.event import BounceType, MailEvent, ReportKind
from producers.mail.webhooks.fields import Fields, at, mail_event, text_at
from producers.mail.webhooks.request import Request, WebhookProvider
from producers.mail.webhooks.signatures import hmac_body

_KINDS: dict[str, ReportKind] = {
    "sent": "sent",
    "delivered": "delivered",
    "deferred": "deferred",
    "soft_bounced": "bounced",
    "hard_bounced": "bounced",
    "opened": "opened",
    "opened_unique": "opened",
    "clicked": "clicked",
    "clicked_unique": "clicked",
    "unsubscribed": "unsubscribed",
    "spam_complaint": "complained",
    "survey_opened": "opened",
}


_BOUNCES: dict[str, BounceType] = {"hard_bounced": "hard", "soft_bounced": "soft"}
_FIELDS: Fields = {
    "recipient": "data/email/recipient/email",
    "message_id": "data/email/message/id",
    "event_id": "data/id",
    "occurred_at": ("data/created_at", "created_at"),
    "url": "data/morph/url",
    "user_agent": "data/morph/user_agent",
    "reason": ("data/morph/readable_reason", "data/morph/reason"),
    "subject": "data/email/subject",
    "tags": "data/email/tags",
}


def parse(request: Request) -> list[MailEvent]:
    """Read the event of a request."""
    body = reading.object_of(reading.json_of(request.body))
    name = str(at(body, "data/type") or str(body.get("type")).removeprefix("activity."))
    event_id, recipient = text_at(body, "data/id"), text_at(body, "data/email/recipient/email")
    event = mail_event(
        _KINDS,
        name,
        body,
        _FIELDS,
        identity=reading.identity(event_id or reading.digest(body), name, recipient),
        reject_reason="bounced" if name in _BOUNCES else None,
        bounce_type=_BOUNCES.get(name, "unknown"),
    )
    return [event]


PROVIDER = WebhookProvider(parse, hmac_body("signature"), "the webhook's signing secret")
