"""Mailjet's Event API: one event, or a list of them. It signs nothing: put credentials into the URL you give it."""

from typing import Any

from producers.mail import reading
from producers.mail.event import MailEvent, ReportKind
from producers.mail.webhooks.request import Request, WebhookProvider

_KINDS: dict[str, ReportKind] = {
    "sent": "delivered",  # accepted by the recipient's server, with its answer
    "open": "opened",
    "click": "clicked",
    "bounce": "bounced",
    "blocked": "rejected",
    "spam": "complained",
    "unsub": "unsubscribed",
}
_REASONS = {
    "user unknown": "bounced",
    "mailbox inactive": "bounced",
    "quota exceeded": "bounced",
    "invalid domain": "bounced",
    "no mail host": "bounced",
    "spam preblocked": "spam",
    "spam content blocked": "spam",
    "content blocked": "blocked",
    "preblocked": "blocked",
    "duplicate in campaign": "blocked",
    "bad or empty template": "other",
}


def parse(request: Request) -> list[MailEvent]:
    """Read the events of a request, grouped or not."""
    return [_event(item) for item in reading.objects_of(reading.json_of(request.body))]


def _event(item: Any) -> MailEvent:
    name, error = str(item.get("event")), reading.text(item.get("error"))
    kind: ReportKind = "deferred" if error == "greylisted" else reading.kind_of(_KINDS, name)
    answer = reading.text(item.get("comment")) or reading.text(item.get("smtp_reply"))
    said = " / ".join(filter(None, (reading.text(item.get("error_related_to")), error)))
    failed = kind in ("bounced", "rejected", "deferred")
    return MailEvent(
        kind=kind,
        name=name,
        identity=reading.identity(reading.digest(item)),
        recipient=reading.text(item.get("email")),
        message_id=reading.text(item.get("MessageID")),
        occurred_at=reading.moment(item.get("time")),
        url=reading.text(item.get("url")),
        user_agent=reading.text(item.get("agent")),
        status=reading.status_of(answer),
        reason=answer or said or None,
        reject_reason=_REASONS.get(error or "", "other")
        if failed
        else {"complained": "spam", "unsubscribed": "unsubscribed"}.get(kind),
        bounce_type="unknown" if kind != "bounced" else "hard" if item.get("hard_bounce") is True else "soft",
        tags=reading.texts(item.get("customcampaign")) + reading.texts(item.get("CustomID")),
        metadata=_payload(item.get("Payload")),
    )


def _payload(value: Any) -> dict[str, Any]:
    said = reading.text(value)
    return dict(reading.object_of(reading.json_of(said))) if said and said.startswith("{") else {}


PROVIDER = WebhookProvider(
    parse, None, "Mailjet signs nothing; use basic:USER:PASSWORD in the URL it is given"
)
