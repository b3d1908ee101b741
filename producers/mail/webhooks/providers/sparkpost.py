"""SparkPost (and Bird): a list of wrapped events. It signs nothing: give it basic authentication or a header."""

from typing import Any

from producers.mail import reading
from producers.mail.event import MailEvent, ReportKind
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


def parse(request: Request) -> list[MailEvent]:
    """Read the events of a request; the empty ping of a new webhook holds none."""
    wrapped = [
        reading.object_of(item.get("msys")) for item in reading.objects_of(reading.json_of(request.body))
    ]
    return [_event(item) for msys in wrapped for item in msys.values() if isinstance(item, dict) and item]


def _event(item: Any) -> MailEvent:
    name, event_id = str(item.get("type")), reading.text(item.get("event_id"))
    kind, bounce_class = reading.kind_of(_KINDS, name), reading.text(item.get("bounce_class")) or ""
    message_id = reading.text(item.get("transmission_id")) or reading.text(item.get("message_id"))
    recipient = reading.text(item.get("raw_rcpt_to")) or reading.text(item.get("rcpt_to"))
    reason = reading.text(item.get("raw_reason")) or reading.text(item.get("reason"))
    if kind == "bounced" and bounce_class == "60":
        kind = "autoresponded"
    return MailEvent(
        kind=kind,
        name=name,
        identity=reading.identity(event_id or reading.digest(item), name, recipient, message_id),
        recipient=recipient,
        message_id=message_id,
        header_id=None,
        event_id=event_id,
        occurred_at=reading.moment(item.get("timestamp")),
        url=reading.text(item.get("target_link_url")),
        user_agent=reading.text(item.get("user_agent")),
        machine=True if item.get("is_prefetched") is True else None,
        status=reading.status_of(reason),
        reason=reason,
        reject_reason=_REJECT.get(bounce_class, "bounced" if kind == "bounced" else None),
        bounce_type="unknown" if kind != "bounced" else "hard" if bounce_class in _HARD else "soft",
        subject=reading.text(item.get("subject")),
        feedback_type=reading.text(item.get("fbtype")),
        tags=reading.texts(item.get("campaign_id")),
        metadata=reading.object_of(item.get("rcpt_meta")),
    )


PROVIDER = WebhookProvider(
    parse, None, "SparkPost signs nothing; use basic:USER:PASSWORD, or header:NAME:VALUE"
)
