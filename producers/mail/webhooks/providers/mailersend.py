"""MailerSend: one event a request, signed with an HMAC of the body."""

from producers.mail import reading
from producers.mail.event import MailEvent, ReportKind
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


def parse(request: Request) -> list[MailEvent]:
    """Read the event of a request."""
    body = reading.object_of(reading.json_of(request.body))
    data = reading.object_of(body.get("data"))
    email, more = reading.object_of(data.get("email")), reading.object_of(data.get("morph"))
    name = str(data.get("type") or str(body.get("type")).removeprefix("activity."))
    kind = reading.kind_of(_KINDS, name)
    event_id, reason = (
        reading.text(data.get("id")),
        reading.text(more.get("readable_reason")) or reading.text(more.get("reason")),
    )
    recipient = reading.text(reading.object_of(email.get("recipient")).get("email"))
    return [
        MailEvent(
            kind=kind,
            name=name,
            identity=reading.identity(event_id or reading.digest(body), name, recipient),
            recipient=recipient,
            message_id=reading.text(reading.object_of(email.get("message")).get("id")),
            event_id=event_id,
            occurred_at=reading.moment(data.get("created_at"), body.get("created_at")),
            url=reading.text(more.get("url")),
            user_agent=reading.text(more.get("user_agent")),
            status=reading.status_of(reason),
            reason=reason,
            reject_reason="bounced" if kind == "bounced" else None,
            bounce_type={"hard_bounced": "hard", "soft_bounced": "soft"}.get(name, "unknown"),  # type: ignore[arg-type]  # all are bounce types
            subject=reading.text(email.get("subject")),
            tags=reading.texts(email.get("tags")),
        )
    ]


PROVIDER = WebhookProvider(parse, hmac_body("signature"), "the webhook's signing secret")
