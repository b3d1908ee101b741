"""SparkPost (and Bird): a list of wrapped events.

It signs nothing: give it basic authentication or a header.
"""

from typing import Any

from producers.mail import reading
from producers.mail.event import MailEvent, ReportKind
from producers.mail.webhooks.fields import Fields, at, bounce_type, mail_event, text_at
from producers.mail.webhooks.request import Request, WebhookProvider

_KINDS: dict[str, ReportKind] = {
    "injection": "queued",
    "delivery": "delivered",
    "bounce": "bounced",
    "delay": "deferred",
    "out_of_band": "bounced",
    "policy_rejection": "rejected",
    "generation_rejection": "rejected",
    "generation_failure": "failed",
    "spam_complaint": "complained",
    "open": "opened",
    "initial_open": "opened",
    "amp_open": "opened",
    "amp_initial_open": "opened",
    "click": "clicked",
    "amp_click": "clicked",
    "list_unsubscribe": "unsubscribed",
    "link_unsubscribe": "unsubscribed",
}
# Bounce classes: https://support.sparkpost.com/docs/deliverability/bounce-classification-codes
_HARD = {"10", "30", "90"}
_REJECT = {
    "10": "invalid",
    "30": "bounced",
    "50": "blocked",
    "51": "spam",
    "52": "spam",
    "53": "blocked",
    "60": "other",
    "90": "unsubscribed",
}


_FIELDS: Fields = {
    "recipient": ("raw_rcpt_to", "rcpt_to"),
    "message_id": ("transmission_id", "message_id"),
    "event_id": "event_id",
    "occurred_at": "timestamp",
    "url": "target_link_url",
    "user_agent": "user_agent",
    "reason": ("raw_reason", "reason"),
    "subject": "subject",
    "feedback_type": "fbtype",
    "tags": "campaign_id",
    "metadata": "rcpt_meta",
}


def parse(request: Request) -> list[MailEvent]:
    """Read the events of a request; the empty ping of a new webhook holds none."""
    wrapped = [at(item, "msys") for item in reading.objects_of(reading.json_of(request.body))]
    events = (item for msys in wrapped for item in reading.object_of(msys).values())
    return [_event(item) for item in events if isinstance(item, dict) and item]


def _event(item: Any) -> MailEvent:
    name, bounce_class = str(item.get("type")), text_at(item, "bounce_class") or ""
    kind = reading.kind_of(_KINDS, name)
    if kind == "bounced" and bounce_class == "60":
        kind = "autoresponded"
    event_id, recipient = text_at(item, "event_id"), text_at(item, "raw_rcpt_to", "rcpt_to")
    message_id = text_at(item, "transmission_id", "message_id")
    return mail_event(
        _KINDS,
        name,
        item,
        _FIELDS,
        kind=kind,
        identity=reading.identity(event_id or reading.digest(item), name, recipient, message_id),
        machine=True if item.get("is_prefetched") is True else None,
        reject_reason=_REJECT.get(bounce_class, "bounced" if kind == "bounced" else None),
        bounce_type=bounce_type(kind, bounce_class in _HARD),
    )


PROVIDER = WebhookProvider(
    parse, None, "SparkPost signs nothing; use basic:USER:PASSWORD, or header:NAME:VALUE"
)
