"""Mailjet's Event API: one event, or a list of them. It signs nothing: put credentials into the URL you give it."""

from typing import Any

from producers.webhooks import read
from producers.webhooks.event import Kind, MailEvent, Provider, Request

_KINDS: dict[str, Kind] = {
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
    return [_event(item) for item in read.objects_of(read.json_of(request.body))]


def _event(item: Any) -> MailEvent:
    name, error = str(item.get("event")), read.text(item.get("error"))
    kind: Kind = "deferred" if error == "greylisted" else read.kind_of(_KINDS, name)
    answer = read.text(item.get("comment")) or read.text(item.get("smtp_reply"))
    said = " / ".join(filter(None, (read.text(item.get("error_related_to")), error)))
    failed = kind in ("bounced", "rejected", "deferred")
    return MailEvent(
        kind=kind,
        name=name,
        identity=read.identity(read.digest(item)),
        recipient=read.text(item.get("email")),
        message_id=read.text(item.get("MessageID")),
        occurred_at=read.moment(item.get("time")),
        url=read.text(item.get("url")),
        user_agent=read.text(item.get("agent")),
        status=read.status_of(answer),
        reason=answer or said or None,
        reject_reason=_REASONS.get(error or "", "other") if failed else {"complained": "spam", "unsubscribed": "unsubscribed"}.get(kind),
        bounce_type="unknown" if kind != "bounced" else "hard" if item.get("hard_bounce") is True else "soft",
        tags=read.texts(item.get("customcampaign")) + read.texts(item.get("CustomID")),
        metadata=_payload(item.get("Payload")),
    )


def _payload(value: Any) -> dict[str, Any]:
    said = read.text(value)
    return dict(read.object_of(read.json_of(said))) if said and said.startswith("{") else {}


PROVIDER = Provider(parse, None, "Mailjet signs nothing; use basic:USER:PASSWORD in the URL it is given")
