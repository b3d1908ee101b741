"""Brevo (Sendinblue): one event a request. It signs nothing: give it credentials in the webhook's URL or headers."""

from datetime import datetime
from typing import Any

from producers.mail import reading
from producers.mail.event import MailEvent, ReportKind
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


def parse(request: Request) -> list[MailEvent]:
    """Read the event of a request, or several of a batch."""
    return [_event(item) for item in reading.objects_of(reading.json_of(request.body))]


def _event(item: Any) -> MailEvent:
    name = str(item.get("event"))
    kind = reading.kind_of(_KINDS, name)
    reason, message_id = reading.text(item.get("reason")), reading.clean_id(item.get("message-id"))
    return MailEvent(
        kind=kind,
        name=name,
        identity=reading.identity(reading.digest(item)),
        recipient=reading.text(item.get("email")),
        message_id=message_id,
        header_id=message_id,
        occurred_at=_occurred_at(item),
        url=reading.text(item.get("link")) or reading.text(item.get("URL")),
        user_agent=reading.text(item.get("user_agent")),
        machine=True if name in ("proxy_open", "unique_proxy_open") else None,
        status=reading.status_of(reason),
        reason=reason,
        reject_reason=_REJECT.get(name),
        bounce_type={"hard_bounce": "hard", "soft_bounce": "soft"}.get(name, "unknown"),  # type: ignore[arg-type]  # all three are bounce types
        subject=reading.text(item.get("subject")),
        tags=_tags(item),
        metadata=_metadata(item.get("X-Mailin-custom")),
    )


def _occurred_at(item: Any) -> datetime | None:
    """Return the most exact of its times: ts_epoch where it is in milliseconds, else ts_event, else ts; date has an unsaid zone."""
    exact = item.get("ts_epoch")
    return reading.moment(
        exact if isinstance(exact, int) and exact >= reading.MILLISECONDS else None,
        item.get("ts_event"),
        exact,
        item.get("ts"),
    )


def _tags(item: Any) -> tuple[str, ...]:
    if item.get("tags"):
        return reading.texts(item["tags"])
    said = reading.text(item.get("tag"))
    return reading.texts(reading.json_of(said)) if said and said.startswith("[") else reading.texts(said)


def _metadata(custom: Any) -> dict[str, Any]:
    said = reading.text(custom)
    return dict(reading.object_of(reading.json_of(said))) if said and said.startswith("{") else {}


PROVIDER = WebhookProvider(parse, None, "Brevo signs nothing; use basic:USER:PASSWORD, or header:NAME:VALUE")
