"""Mailgun: JSON with the signature in its body, and the forms of the webhooks before 2018."""

from collections.abc import Mapping
from email.utils import parseaddr
from typing import Any

from producers.mail import reading
from producers.mail.event import MailEvent, ReportKind
from producers.mail.webhooks.fields import Fields, at, bounce_type, mail_event, text_at
from producers.mail.webhooks.request import Check, Request, WebhookProvider
from producers.mail.webhooks.signatures import fresh, hmac_hex, same

_KINDS: dict[str, ReportKind] = {
    "accepted": "queued",
    "rejected": "rejected",
    "delivered": "delivered",
    "failed": "bounced",
    "opened": "opened",
    "clicked": "clicked",
    "unsubscribed": "unsubscribed",
    "complained": "complained",
    "dropped": "rejected",
    "bounced": "bounced",
}
_SUPPRESSED = {"605": "bounced", "606": "unsubscribed", "607": "spam"}
_REJECT: dict[str, str] = {"bounced": "bounced", "rejected": "blocked", "complained": "spam"}
_FIELDS: Fields = {
    "recipient": "recipient",
    "request_id": "signature/token",
    "event_id": ("id", "signature/token"),
    "occurred_at": ("timestamp", "signature/timestamp"),
    "url": "url",
    "user_agent": "client-info/user-agent",
    "reason": ("delivery-status/message", "delivery-status/description", "reason", "reject/reason"),
    "subject": "message/headers/subject",
    "tags": "tags",
    "metadata": "user-variables",
}
# The provider's own fields of a form; the rest are the sender's variables.
_LEGACY_OWN = {
    "event", "recipient", "timestamp", "token", "signature", "message-headers", "message-id", "tag",
    "x-mailgun-tag", "domain", "code", "error", "reason", "description", "url", "user-agent", "ip", "country",
    "region", "city", "campaign-id", "campaign-name", "device-type", "client-type", "client-name",
    "client-os", "body-plain", "attachment-count", "x-mailgun-sid", "notification", "mailing-list",
}  # fmt: skip


def _is_json(request: Request) -> bool:
    return request.body.lstrip()[:1] == b"{"


def _signature(request: Request) -> Mapping[str, object]:
    if _is_json(request):
        return reading.object_of(at(reading.json_of(request.body), "signature"))
    return _last(reading.form_of(request))


# A sender's own variables may repeat the names of a form's fields: theirs come first, the proof is last.


def _first(fields: list[tuple[str, str]]) -> dict[str, str]:
    return dict(reversed(fields))


def _last(fields: list[tuple[str, str]]) -> dict[str, str]:
    return dict(fields)


def verify(request: Request, check: Check) -> bool:
    """Check the HMAC-SHA256 of timestamp and token; the timestamp bounds the age."""
    given = _signature(request)
    stamp, token, proof = (
        reading.text(given.get(name)) or "" for name in ("timestamp", "token", "signature")
    )
    right = hmac_hex(check.secret, (stamp + token).encode())
    return bool(token) and same(proof, right) and fresh(stamp, check)


def parse(request: Request) -> list[MailEvent]:
    """Read the event of a request."""
    if not _is_json(request):
        return [_legacy(reading.form_of(request))]
    body = reading.object_of(reading.json_of(request.body))
    item = reading.object_of(body.get("event-data"))
    return [_event({**item, "signature": body.get("signature")}, reading.digest(item))] if item else []


def _event(item: Mapping[str, object], digest: str) -> MailEvent:
    name, token = str(item.get("event")), text_at(item, "signature/token")
    kind, reject = _judge(item)
    message_id, recipient = reading.clean_id(at(item, "message/headers/message-id")), _recipient(item)
    return mail_event(
        _KINDS,
        name,
        item,
        _FIELDS,
        kind=kind,
        identity=reading.identity(text_at(item, "id") or [token, digest], name, kind, recipient, message_id),
        recipient=recipient,
        message_id=message_id,
        header_id=message_id,
        machine=True if text_at(item, "client-info/bot") else None,
        status=text_at(item, "delivery-status/enhanced-code")
        or reading.status_of(text_at(item, "delivery-status/message")),
        reject_reason=reject,
        bounce_type=bounce_type(kind, True),
    )


def _recipient(item: Mapping[str, object]) -> str | None:
    to = text_at(item, "message/headers/to") or ""
    return text_at(item, "recipient") or parseaddr(to)[1] or None


def _judge(item: Mapping[str, object]) -> tuple[ReportKind, str | None]:
    """Return what a failure is: put off, bounced, or not even tried because of an earlier one."""
    kind = reading.kind_of(_KINDS, item.get("event"))
    if kind == "bounced" and text_at(item, "severity") == "temporary":
        return "deferred", "other"
    if kind == "bounced" and (text_at(item, "reason", "reject/reason") or "").startswith("suppress-"):
        return "rejected", _SUPPRESSED.get(text_at(item, "delivery-status/code") or "", "blocked")
    return kind, _REJECT.get(kind)


def _legacy(fields: list[tuple[str, str]]) -> MailEvent:
    form = {name.lower(): value for name, value in _first(fields).items()}
    proof, name = _last(fields), form.get("event", "")
    kind, message_id = reading.kind_of(_KINDS, name), reading.clean_id(form.get("message-id"))
    code, error = form.get("code"), form.get("error")
    return MailEvent(
        kind=kind,
        name=name,
        identity=reading.identity(proof.get("token"), reading.digest(fields), name),
        recipient=form.get("recipient"),
        message_id=message_id,
        header_id=message_id,
        event_id=proof.get("token"),
        occurred_at=reading.moment(proof.get("timestamp")),
        url=form.get("url"),
        user_agent=form.get("user-agent"),
        status=reading.status_of(error, code),
        reason=error or form.get("description") or form.get("reason"),
        reject_reason=_legacy_reject(kind, form.get("reason"), code),
        bounce_type=bounce_type(kind, reading.is_permanent(code, error) is not False),
        tags=tuple(value for field, value in fields if field.lower() in ("tag", "x-mailgun-tag")),
        metadata=_legacy_metadata(fields),
    )


def _legacy_reject(kind: ReportKind, reason: str | None, code: str | None) -> str | None:
    if kind == "rejected":
        return "timed_out" if reason == "old" else _SUPPRESSED.get(code or "", "other")
    return "bounced" if kind == "bounced" else None


def _legacy_metadata(fields: list[tuple[str, str]]) -> dict[str, Any]:
    """Return the sender's variables: in the message's headers where those are sent, else among the fields."""
    headers = next((value for name, value in fields if name == "message-headers"), None)
    if headers is not None:
        pairs = [pair for pair in reading.json_of(headers) if isinstance(pair, list) and len(pair) == 2]
        merged: dict[str, Any] = {}
        for name, value in pairs:
            if name == "X-Mailgun-Variables":
                merged |= reading.object_of(reading.json_of(value))
        return merged
    last = _last(fields)
    repeated = {name: value for name, value in fields if last[name] != value}
    return {name: value for name, value in fields if name.lower() not in _LEGACY_OWN} | repeated


PROVIDER = WebhookProvider(parse, verify, "the HTTP webhook signing key of Settings > API Security")
