"""Sweego: one event a request, signed as Standard Webhooks are, with a secret that has no prefix."""

from producers.webhooks import read
from producers.webhooks.event import Kind, MailEvent, Provider, Request
from producers.webhooks.signatures import standard_webhooks

_KINDS: dict[str, Kind] = {
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
    body = read.object_of(read.json_of(request.body))
    headers = read.object_of(body.get("headers"))
    name, event_id = str(body.get("event_type")), read.text(body.get("event_id"))
    kind, reason = read.kind_of(_KINDS, name), read.text(body.get("details")) or read.text(body.get("reason"))
    return [
        MailEvent(
            kind=kind,
            name=name,
            identity=read.identity(event_id or read.digest(body), name, body.get("recipient")),
            recipient=read.text(body.get("recipient")),
            message_id=read.text(headers.get("x-transaction-id")) or read.text(body.get("swg_uid")),
            event_id=event_id,
            occurred_at=read.moment(body.get("timestamp")),
            url=read.text(body.get("url")) or read.text(body.get("link")),
            user_agent=read.text(body.get("user_agent")),
            status=read.status_of(reason),
            reason=reason,
            bounce_type="unknown" if kind != "bounced" else "hard" if "hard" in name else "soft",
            tags=read.texts(body.get("campaign_tags")),
            metadata=headers,
        )
    ]


PROVIDER = Provider(parse, standard_webhooks, "the webhook's secret")
