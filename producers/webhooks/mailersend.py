"""MailerSend: one event a request, signed with an HMAC of the body."""

from producers.webhooks import read
from producers.webhooks.event import Kind, MailEvent, Provider, Request
from producers.webhooks.signatures import hmac_body

_KINDS: dict[str, Kind] = {
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
    body = read.object_of(read.json_of(request.body))
    data = read.object_of(body.get("data"))
    email, more = read.object_of(data.get("email")), read.object_of(data.get("morph"))
    name = str(data.get("type") or str(body.get("type")).removeprefix("activity."))
    kind = read.kind_of(_KINDS, name)
    event_id, reason = read.text(data.get("id")), read.text(more.get("readable_reason")) or read.text(more.get("reason"))
    recipient = read.text(read.object_of(email.get("recipient")).get("email"))
    return [
        MailEvent(
            kind=kind,
            name=name,
            identity=read.identity(event_id or read.digest(body), name, recipient),
            recipient=recipient,
            message_id=read.text(read.object_of(email.get("message")).get("id")),
            event_id=event_id,
            occurred_at=read.moment(data.get("created_at"), body.get("created_at")),
            url=read.text(more.get("url")),
            user_agent=read.text(more.get("user_agent")),
            status=read.status_of(reason),
            reason=reason,
            reject_reason="bounced" if kind == "bounced" else None,
            bounce_type={"hard_bounced": "hard", "soft_bounced": "soft"}.get(name, "unknown"),  # type: ignore[arg-type]  # all are bounce types
            subject=read.text(email.get("subject")),
            tags=read.texts(email.get("tags")),
        )
    ]


PROVIDER = Provider(parse, hmac_body("signature"), "the webhook's signing secret")
