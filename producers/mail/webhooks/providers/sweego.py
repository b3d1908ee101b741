"""Sweego: one event a request, signed as Standard Webhooks are, with a secret that has no prefix."""

from producers.mail import reading
from producers.mail.event import MailEvent, ReportKind
from producers.mail.webhooks.fields import Fields, bounce_type, mail_event, text_at
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


_FIELDS: Fields = {
    "recipient": "recipient",
    "message_id": ("headers/x-transaction-id", "swg_uid"),
    "event_id": "event_id",
    "occurred_at": "timestamp",
    "url": ("url", "link"),
    "user_agent": "user_agent",
    "reason": ("details", "reason"),
    "tags": "campaign_tags",
    "metadata": "headers",
}


def parse(request: Request) -> list[MailEvent]:
    """Read the event of a request."""
    body = reading.object_of(reading.json_of(request.body))
    name, event_id = str(body.get("event_type")), text_at(body, "event_id")
    event = mail_event(
        _KINDS,
        name,
        body,
        _FIELDS,
        identity=reading.identity(event_id or reading.digest(body), name, body.get("recipient")),
        bounce_type=bounce_type(reading.kind_of(_KINDS, name), "hard" in name),
    )
    return [event]


PROVIDER = WebhookProvider(parse, standard_webhooks, "the webhook's secret")
