"""Amazon SES over SNS: a signed envelope with one event, which may be about several recipients: one MailEvent each."""

from collections.abc import Mapping
from typing import Any

from producers.mail import reading
from producers.mail.event import MailEvent, ReportKind
from producers.mail.webhooks.request import Request, WebhookProvider
from producers.mail.webhooks.sns import verify

_KINDS: dict[str, ReportKind] = {
    "Send": "sent",
    "Reject": "rejected",
    "Bounce": "bounced",
    "Complaint": "complained",
    "Delivery": "delivered",
    "Open": "opened",
    "Click": "clicked",
    "Rendering Failure": "failed",
    "DeliveryDelay": "deferred",
    "Subscription": "unsubscribed",
}
_DETAIL = {"Rendering Failure": "failure", "DeliveryDelay": "deliveryDelay"}
_REJECT = {"bounced": "bounced", "complained": "spam", "rejected": "blocked"}


def parse(request: Request) -> list[MailEvent]:
    """Read the events of an envelope. Confirmations of a subscription are none."""
    envelope = reading.object_of(reading.json_of(request.body))
    if envelope.get("Type") not in (None, "Notification"):
        return []
    inner = envelope.get("Message") if "Message" in envelope else envelope  # raw delivery has no envelope
    if isinstance(inner, str):
        if not inner.lstrip().startswith("{"):
            return []  # such as the line that SES sends when the topic is set up
        inner = reading.json_of(inner)
    item = reading.object_of(inner)
    return [_event(envelope, item, recipient) for recipient in _recipients(item)]


def _detail(item: Mapping[str, Any]) -> Mapping[str, Any]:
    name = _name(item)
    return reading.object_of(item.get(_DETAIL.get(name, name.lower())))


def _name(item: Mapping[str, Any]) -> str:
    return str(item.get("eventType") or item.get("notificationType"))


def _recipients(item: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    detail = _detail(item)
    for name in ("bouncedRecipients", "complainedRecipients", "delayedRecipients"):
        if detail.get(name):
            return reading.objects_of(detail[name])
    to = reading.texts(detail.get("recipients")) or reading.texts(
        reading.object_of(item.get("mail")).get("destination")
    )
    return [{"emailAddress": address} for address in to] or [{}]


def _event(envelope: Mapping[str, Any], item: Mapping[str, Any], recipient: Mapping[str, Any]) -> MailEvent:
    name, detail, mail = _name(item), _detail(item), reading.object_of(item.get("mail"))
    kind, address, message_id = (
        reading.kind_of(_KINDS, name),
        reading.text(recipient.get("emailAddress")),
        reading.text(mail.get("messageId")),
    )
    if kind == "unsubscribed" and _left_nothing(detail):
        kind = "subscribed"
    event_id = reading.text(envelope.get("MessageId"))
    answer = reading.text(recipient.get("diagnosticCode")) or reading.text(detail.get("smtpResponse"))
    headers = dict(_headers(mail))
    permanent = {"Permanent": True, "Transient": False}.get(str(detail.get("bounceType")))
    return MailEvent(
        kind=kind,
        name=name,
        identity=reading.identity(event_id or reading.digest(item), name, address, message_id),
        recipient=address,
        message_id=message_id,
        header_id=_header_id(headers.get("message-id")),
        event_id=event_id,
        occurred_at=reading.moment(detail.get("timestamp"), mail.get("timestamp"), envelope.get("Timestamp")),
        url=reading.text(detail.get("link")),
        user_agent=reading.text(detail.get("userAgent")),
        status=reading.text(recipient.get("status")) or reading.status_of(answer),
        reason=answer
        or reading.text(detail.get("reason"))
        or reading.text(detail.get("errorMessage"))
        or _said(detail),
        reject_reason=_REJECT.get(kind),
        bounce_type="unknown" if kind != "bounced" or permanent is None else "hard" if permanent else "soft",
        subject=reading.text(reading.object_of(mail.get("commonHeaders")).get("subject")),
        feedback_type=reading.text(detail.get("complaintFeedbackType")),
        tags=tuple(str(value) for name, value in _headers(mail) if name == "x-tag"),
        metadata=_metadata(headers.get("x-metadata")) or _message_tags(mail),
    )


def _left_nothing(detail: Mapping[str, Any]) -> bool:
    old, new = (
        reading.object_of(detail.get(name)) for name in ("oldTopicPreferences", "newTopicPreferences")
    )
    return bool(old.get("unsubscribeAll")) and new.get("unsubscribeAll") is False


def _header_id(value: Any) -> str | None:
    found = reading.text(value)
    return reading.clean_id(found) if found and "@" in found else None


def _said(detail: Mapping[str, Any]) -> str | None:
    return (
        ": ".join(
            str(detail[name]) for name in ("bounceType", "bounceSubType", "delayType") if detail.get(name)
        )
        or None
    )


def _headers(mail: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return [
        (str(one.get("name")).lower(), one.get("value")) for one in reading.objects_of(mail.get("headers"))
    ]


def _metadata(value: Any) -> Mapping[str, Any]:
    said = reading.text(value)
    return reading.object_of(reading.json_of(said)) if said and said.startswith("{") else {}


def _message_tags(mail: Mapping[str, Any]) -> Mapping[str, Any]:
    return {
        name: value
        for name, value in reading.object_of(mail.get("tags")).items()
        if not name.startswith("ses:")
    }


PROVIDER = WebhookProvider(
    parse, verify, "the ARN of the SNS topic, arn:aws:sns:...; any-topic takes every signed message"
)
