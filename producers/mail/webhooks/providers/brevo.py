"""Brevo (Sendinblue): one event a request.

It signs nothing: give it credentials in the webhook's URL or headers.
"""

from datetime import datetime
from typing import Any

from producers.mail import reading
from producers.mail.event import BounceType, MailEvent, ReportKind
from producers.mail.webhooks.fields import Fields, mail_event
from producers.mail.webhooks.request import Request, WebhookProvider

_KINDS: dict[str, ReportKind] = {
    "request": "queued",
    "delivered": "delivered",
    "hard_bounce": "bounced",
    "soft_bounce": "bounced",
    "blocked": "rejected",
    "spam": "complained",
    "complaint": "complained",
    "invalid_email": "rejected",
    "error": "failed",
    "deferred": "deferred",
    "click": "clicked",
    "opened": "opened",
    "unique_opened": "opened",
    "proxy_open": "opened",
    "unique_proxy_open": "opened",
    "unsubscribed": "unsubscribed",
    "list_addition": "subscribed",
}
_REJECT = {
    "hard_bounce": "bounced",
    "soft_bounce": "bounced",
    "blocked": "blocked",
    "spam": "spam",
    "complaint": "spam",
    "invalid_email": "invalid",
}


_BOUNCES: dict[str, BounceType] = {"hard_bounce": "hard", "soft_bounce": "soft"}
_FIELDS: Fields = {
    "recipient": "email",
    "url": ("link", "URL"),
    "user_agent": "user_agent",
    "reason": "reason",
    "subject": "subject",
}


def parse(request: Request) -> list[MailEvent]:
    """Read the event of a request, or several of a batch."""
    return [_event(item) for item in reading.objects_of(reading.json_of(request.body))]


def _event(item: Any) -> MailEvent:
    name, message_id = str(item.get("event")), reading.clean_id(item.get("message-id"))
    return mail_event(
        _KINDS,
        name,
        item,
        _FIELDS,
        identity=reading.identity(reading.digest(item)),
        message_id=message_id,
        header_id=message_id,
        occurred_at=_occurred_at(item),
        machine=True if name in ("proxy_open", "unique_proxy_open") else None,
        reject_reason=_REJECT.get(name),
        bounce_type=_BOUNCES.get(name, "unknown"),
        tags=_tags(item),
        metadata=reading.object_in(item.get("X-Mailin-custom")),
    )


def _occurred_at(item: Any) -> datetime | None:
    """Return the most exact of its times; `date` is of no use, as its zone is not given.

    That is ts_epoch where it is in milliseconds, else ts_event, else ts_epoch in seconds, else ts.
    """
    exact = item.get("ts_epoch")
    in_milliseconds = isinstance(exact, int) and exact >= reading.MILLISECONDS
    return reading.moment(exact if in_milliseconds else None, item.get("ts_event"), exact, item.get("ts"))


def _tags(item: Any) -> tuple[str, ...]:
    if item.get("tags"):
        return reading.texts(item["tags"])
    tag = reading.text(item.get("tag"))
    return reading.texts(reading.json_of(tag) if tag and tag.startswith("[") else tag)


PROVIDER = WebhookProvider(parse, None, "Brevo signs nothing; use basic:USER:PASSWORD, or header:NAME:VALUE")
