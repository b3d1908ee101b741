"""Amazon SES over SNS: a signed envelope with one event, which may be about several recipients.

One MailEvent each.
"""

from collections.abc import Mapping

from producers.mail import reading
from producers.mail.event import MailEvent, ReportKind
from producers.mail.webhooks.fields import Fields, at, bounce_type, mail_event, text_at, whom
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


def _detail(item: Mapping[str, object]) -> Mapping[str, object]:
    name = _name(item)
    return reading.object_of(item.get(_DETAIL.get(name, name.lower())))


def _name(item: Mapping[str, object]) -> str:
    return str(item.get("eventType") or item.get("notificationType"))


def _recipients(item: Mapping[str, object]) -> list[Mapping[str, object]]:
    detail = _detail(item)
    for name in ("bouncedRecipients", "complainedRecipients", "delayedRecipients"):
        if detail.get(name):
            return reading.objects_of(detail[name])
    named = reading.texts(detail.get("recipients"))
    to = named or whom(_kind(_name(item), detail), reading.texts(at(item, "mail/destination")))
    return [{"emailAddress": address} for address in to]


_FIELDS: Fields = {
    "recipient": "recipient/emailAddress",
    "message_id": "mail/messageId",
    "event_id": "envelope/MessageId",
    "occurred_at": ("detail/timestamp", "mail/timestamp", "envelope/Timestamp"),
    "url": "detail/link",
    "user_agent": "detail/userAgent",
    "reason": (
        "recipient/diagnosticCode",
        "detail/smtpResponse",
        "detail/reason",
        "detail/errorMessage",
        "classes",
    ),
    "subject": "mail/commonHeaders/subject",
    "feedback_type": "detail/complaintFeedbackType",
}
_PERMANENT = {"Permanent": True, "Transient": False}


def _event(
    envelope: Mapping[str, object], item: Mapping[str, object], recipient: Mapping[str, object]
) -> MailEvent:
    name, detail, mail = _name(item), _detail(item), reading.object_of(item.get("mail"))
    kind, headers = _kind(name, detail), _headers(mail)
    named = dict(headers)
    address, message_id = text_at(recipient, "emailAddress"), text_at(mail, "messageId")
    identity = text_at(envelope, "MessageId") or reading.digest(item)
    answer = text_at(recipient, "diagnosticCode") or text_at(detail, "smtpResponse")
    parts = {"envelope": envelope, "mail": mail, "detail": detail, "recipient": recipient}
    return mail_event(
        _KINDS,
        name,
        parts | {"classes": _classes(detail)},
        _FIELDS,
        kind=kind,
        identity=reading.identity(identity, name, address, message_id),
        header_id=reading.header_id(named.get("message-id")),
        status=text_at(recipient, "status") or reading.status_of(answer),
        reject_reason=_REJECT.get(kind),
        bounce_type=bounce_type(kind, _PERMANENT.get(str(detail.get("bounceType")))),
        tags=tuple(str(value) for name, value in headers if name == "x-tag"),
        metadata=reading.object_in(named.get("x-metadata")) or _message_tags(mail),
    )


def _kind(name: str, detail: Mapping[str, object]) -> ReportKind:
    kind = reading.kind_of(_KINDS, name)
    return "subscribed" if kind == "unsubscribed" and _resubscribed(detail) else kind


def _resubscribed(detail: Mapping[str, object]) -> bool:
    old, new = (
        reading.object_of(detail.get(name)) for name in ("oldTopicPreferences", "newTopicPreferences")
    )
    return bool(old.get("unsubscribeAll")) and new.get("unsubscribeAll") is False


def _classes(detail: Mapping[str, object]) -> str:
    names = ("bounceType", "bounceSubType", "delayType")
    return ": ".join(str(detail[name]) for name in names if detail.get(name))


def _headers(mail: Mapping[str, object]) -> list[tuple[str, object]]:
    found = reading.objects_of(mail.get("headers"))
    return [(str(one.get("name")).lower(), one.get("value")) for one in found]


def _message_tags(mail: Mapping[str, object]) -> Mapping[str, object]:
    found = reading.object_of(mail.get("tags"))
    return {name: value for name, value in found.items() if not name.startswith("ses:")}


PROVIDER = WebhookProvider(
    parse, verify, "the ARN of the SNS topic, arn:aws:sns:...; any-topic takes every signed message"
)
