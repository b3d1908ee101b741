"""Sweego: one event a request, signed as Standard Webhooks are, with a secret that has no prefix."""

from producers.mail import reading
from producers.mail.event import MailEvent, ReportKind
from producers.mail.webhooks.request import Request, WebhookProvider
from producers.mail.webhooks.signatures import standard_webhooks

_KINDS: dict[str, ReportKind] = {
    "email_sent": "sent",
    "delivered": "delivered",
    "soft-bounce": "bounced",
    "soft_bounce": "bounced",
    "hard_bounce": "bounced",
    "hard-bounce": "bounced",
    "email_opened": "opened",
    "email_clicked": "clicked",
    "complaint": "complained",
    "list_unsub": "unsubscribed",
    "unsubscribe": "unsubscribed",
}


def parse(request: Request) -> list[MailEvent]:
    """Read the event of a request."""
    body = reading.object_of(reading.json_of(request.body))
    headers = reading.object_of(body.get("headers"))
    name, event_id = str(body.get("event_type")), reading.text(body.get("event_id"))
    kind, reason = (
        reading.kind_of(_KINDS, name),
        reading.text(body.get("details")) or reading.text(body.get("reason")),
    )
    return [
        MailEvent(
            kind=kind,
            name=name,
            identity=reading.identity(event_id or reading.digest(body), name, body.get("recipient")),
            recipient=reading.text(body.get("recipient")),
            message_id=reading.text(headers.get("x-transaction-id")) or reading.text(body.get("swg_uid")),
            event_id=event_id,
            occurred_at=reading.moment(body.get("timestamp")),
            url=reading.text(body.get("url")) or reading.text(body.get("link")),
            user_agent=reading.text(body.get("user_agent")),
            status=reading.status_of(reason),
            reason=reason,
            bounce_type="unknown" if kind != "bounced" else "hard" if "hard" in name else "soft",
            tags=reading.texts(body.get("campaign_tags")),
            metadata=headers,
        )
    ]


PROVIDER = WebhookProvider(parse, standard_webhooks, "the webhook's secret")
