"""Mailjet's Event API: one event, or a list of them.

It signs nothing: put credentials into the URL you give it.
"""

from typing import Any

from producers.mail import reading
from producers.mail.event import MailEvent, ReportKind
from producers.mail.webhooks.fields import REJECT_REASONS, Fields, bounce_type, mail_event, text_at
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


_FIELDS: Fields = {
    "recipient": "email",
    "message_id": "MessageID",
    "occurred_at": "time",
    "url": "url",
    "user_agent": "agent",
}


def parse(request: Request) -> list[MailEvent]:
    """Read the events of a request, grouped or not."""
    return [_event(item) for item in reading.objects_of(reading.json_of(request.body))]


def _event(item: Any) -> MailEvent:
    name, error = str(item.get("event")), reading.text(item.get("error"))
    kind: ReportKind = "deferred" if error == "greylisted" else reading.kind_of(_KINDS, name)
    answer = text_at(item, "comment", "smtp_reply")
    words = " / ".join(filter(None, (text_at(item, "error_related_to"), error)))
    failed = kind in ("bounced", "rejected", "deferred")
    return mail_event(
        _KINDS,
        name,
        item,
        _FIELDS,
        kind=kind,
        identity=reading.identity(reading.digest(item)),
        status=reading.status_of(answer),
        reason=answer or words or None,
        reject_reason=_REASONS.get(error or "", "other") if failed else REJECT_REASONS.get(kind),
        bounce_type=bounce_type(kind, item.get("hard_bounce") is True),
        tags=reading.texts(item.get("customcampaign")) + reading.texts(item.get("CustomID")),
        metadata=reading.object_in(item.get("Payload")),
    )


PROVIDER = WebhookProvider(
    parse, None, "Mailjet signs nothing; use basic:USER:PASSWORD in the URL it is given"
)
