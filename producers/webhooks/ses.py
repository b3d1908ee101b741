"""Amazon SES over SNS: a signed envelope with one event, which may be about several recipients: one MailEvent each."""

from collections.abc import Mapping
from typing import Any

from producers.webhooks import read
from producers.webhooks.event import Kind, MailEvent, Provider, Request
from producers.webhooks.sns import verify

_KINDS: dict[str, Kind] = {
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
    envelope = read.object_of(read.json_of(request.body))
    if envelope.get("Type") not in (None, "Notification"):
        return []
    inner = envelope.get("Message") if "Message" in envelope else envelope  # raw delivery has no envelope
    if isinstance(inner, str):
        if not inner.lstrip().startswith("{"):
            return []  # such as the line that SES sends when the topic is set up
        inner = read.json_of(inner)
    item = read.object_of(inner)
    return [_event(envelope, item, recipient) for recipient in _recipients(item)]


def _detail(item: Mapping[str, Any]) -> Mapping[str, Any]:
    name = _name(item)
    return read.object_of(item.get(_DETAIL.get(name, name.lower())))


def _name(item: Mapping[str, Any]) -> str:
    return str(item.get("eventType") or item.get("notificationType"))


def _recipients(item: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    detail = _detail(item)
    for name in ("bouncedRecipients", "complainedRecipients", "delayedRecipients"):
        if detail.get(name):
            return read.objects_of(detail[name])
    to = read.texts(detail.get("recipients")) or read.texts(read.object_of(item.get("mail")).get("destination"))
    return [{"emailAddress": address} for address in to] or [{}]


def _event(envelope: Mapping[str, Any], item: Mapping[str, Any], recipient: Mapping[str, Any]) -> MailEvent:
    name, detail, mail = _name(item), _detail(item), read.object_of(item.get("mail"))
    kind, address, message_id = read.kind_of(_KINDS, name), read.text(recipient.get("emailAddress")), read.text(mail.get("messageId"))
    if kind == "unsubscribed" and _left_nothing(detail):
        kind = "subscribed"
    event_id = read.text(envelope.get("MessageId"))
    answer = read.text(recipient.get("diagnosticCode")) or read.text(detail.get("smtpResponse"))
    headers = dict(_headers(mail))
    permanent = {"Permanent": True, "Transient": False}.get(str(detail.get("bounceType")))
    return MailEvent(
        kind=kind,
        name=name,
        identity=read.identity(event_id or read.digest(item), name, address, message_id),
        recipient=address,
        message_id=message_id,
        header_id=_header_id(headers.get("message-id")),
        event_id=event_id,
        occurred_at=read.moment(detail.get("timestamp"), mail.get("timestamp"), envelope.get("Timestamp")),
        url=read.text(detail.get("link")),
        user_agent=read.text(detail.get("userAgent")),
        status=read.text(recipient.get("status")) or read.status_of(answer),
        reason=answer or read.text(detail.get("reason")) or read.text(detail.get("errorMessage")) or _said(detail),
        reject_reason=_REJECT.get(kind),
        bounce_type="unknown" if kind != "bounced" or permanent is None else "hard" if permanent else "soft",
        subject=read.text(read.object_of(mail.get("commonHeaders")).get("subject")),
        feedback_type=read.text(detail.get("complaintFeedbackType")),
        tags=tuple(str(value) for name, value in _headers(mail) if name == "x-tag"),
        metadata=_metadata(headers.get("x-metadata")) or _message_tags(mail),
    )


def _left_nothing(detail: Mapping[str, Any]) -> bool:
    old, new = (read.object_of(detail.get(name)) for name in ("oldTopicPreferences", "newTopicPreferences"))
    return bool(old.get("unsubscribeAll")) and new.get("unsubscribeAll") is False


def _header_id(value: Any) -> str | None:
    found = read.text(value)
    return read.clean_id(found) if found and "@" in found else None


def _said(detail: Mapping[str, Any]) -> str | None:
    return ": ".join(str(detail[name]) for name in ("bounceType", "bounceSubType", "delayType") if detail.get(name)) or None


def _headers(mail: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return [(str(one.get("name")).lower(), one.get("value")) for one in read.objects_of(mail.get("headers"))]


def _metadata(value: Any) -> Mapping[str, Any]:
    said = read.text(value)
    return read.object_of(read.json_of(said)) if said and said.startswith("{") else {}


def _message_tags(mail: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: value for name, value in read.object_of(mail.get("tags")).items() if not name.startswith("ses:")}


PROVIDER = Provider(parse, verify, "the ARN of the SNS topic, arn:aws:sns:...; any-topic takes every signed message")
