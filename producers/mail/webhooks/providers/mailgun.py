"""Mailgun: JSON with the signature in its body, and the forms of the webhooks before 2018."""

from collections.abc import Mapping
from email.utils import parseaddr
from typing import Any

from producers.mail import reading
from producers.mail.event import MailEvent, ReportKind
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
_LEGACY_OWN = {
    "event", "recipient", "timestamp", "token", "signature", "message-headers", "message-id", "tag", "x-mailgun-tag", "domain", "code",
    "error", "reason", "description", "url", "user-agent", "ip", "country", "region", "city", "campaign-id", "campaign-name", "device-type",
    "client-type", "client-name", "client-os", "body-plain", "attachment-count", "x-mailgun-sid", "notification", "mailing-list",
}  # fmt: skip


def _is_json(request: Request) -> bool:
    return request.body.lstrip()[:1] == b"{"


def _signature(request: Request) -> Mapping[str, Any]:
    if _is_json(request):
        return reading.object_of(reading.object_of(reading.json_of(request.body)).get("signature"))
    return _last(
        reading.form_of(request)
    )  # a sender's own variables may repeat these names: theirs come first


def _first(fields: list[tuple[str, str]]) -> dict[str, str]:
    return dict(reversed(fields))


def _last(fields: list[tuple[str, str]]) -> dict[str, str]:
    return dict(fields)


def verify(request: Request, check: Check) -> bool:
    """Check the HMAC-SHA256 of timestamp and token; the timestamp bounds the age."""
    given = {
        name: reading.text(_signature(request).get(name)) or ""
        for name in ("timestamp", "token", "signature")
    }
    right = hmac_hex(check.secret, (given["timestamp"] + given["token"]).encode())
    return bool(given["token"]) and same(given["signature"], right) and fresh(given["timestamp"], check)


def parse(request: Request) -> list[MailEvent]:
    """Read the event of a request."""
    if not _is_json(request):
        return [_legacy(reading.form_of(request))]
    body = reading.object_of(reading.json_of(request.body))
    item = reading.object_of(body.get("event-data"))
    return [_event(item, reading.object_of(body.get("signature")))] if item else []


def _event(item: Mapping[str, Any], signature: Mapping[str, Any]) -> MailEvent:
    name, token = str(item.get("event")), reading.text(signature.get("token"))
    delivery = reading.object_of(item.get("delivery-status"))
    headers = reading.object_of(reading.object_of(item.get("message")).get("headers"))
    client = reading.object_of(item.get("client-info"))
    reason = reading.text(item.get("reason")) or reading.text(
        reading.object_of(item.get("reject")).get("reason")
    )
    kind, reject = _judge(
        reading.kind_of(_KINDS, name),
        reading.text(item.get("severity")),
        reason,
        reading.text(delivery.get("code")),
    )
    answer = reading.text(delivery.get("message"))
    message_id, recipient = reading.clean_id(headers.get("message-id")), _recipient(item, headers)
    return MailEvent(
        kind=kind,
        name=name,
        identity=reading.identity(
            reading.text(item.get("id")) or [token, reading.digest(item)], name, kind, recipient, message_id
        ),
        recipient=recipient,
        message_id=message_id,
        header_id=message_id,
        event_id=reading.text(item.get("id")) or token,
        request_id=token,
        occurred_at=reading.moment(item.get("timestamp"), signature.get("timestamp")),
        url=reading.text(item.get("url")),
        user_agent=reading.text(client.get("user-agent")),
        machine=True if reading.text(client.get("bot")) else None,
        status=reading.text(delivery.get("enhanced-code")) or reading.status_of(answer),
        reason=answer or reading.text(delivery.get("description")) or reason,
        reject_reason=reject,
        bounce_type="hard" if kind == "bounced" else "unknown",
        subject=reading.text(headers.get("subject")),
        tags=reading.texts(item.get("tags")),
        metadata=reading.object_of(item.get("user-variables")),
    )


def _recipient(item: Mapping[str, Any], headers: Mapping[str, Any]) -> str | None:
    return reading.text(item.get("recipient")) or parseaddr(reading.text(headers.get("to")) or "")[1] or None


def _judge(
    kind: ReportKind, severity: str | None, reason: str | None, code: str | None
) -> tuple[ReportKind, str | None]:
    """Return what a failure is: put off, bounced, or not even tried because of an earlier one."""
    if kind == "bounced" and severity == "temporary":
        return "deferred", "other"
    if kind == "bounced" and (reason or "").startswith("suppress-"):
        return "rejected", _SUPPRESSED.get(code or "", "blocked")
    return kind, {"bounced": "bounced", "rejected": "blocked", "complained": "spam"}.get(kind)


def _legacy(fields: list[tuple[str, str]]) -> MailEvent:
    said = {name.lower(): value for name, value in _first(fields).items()}
    proof = _last(fields)
    name = said.get("event", "")
    kind = reading.kind_of(_KINDS, name)
    code, reason = said.get("code"), said.get("reason")
    reject = {"old": "timed_out"}.get(reason or "", _SUPPRESSED.get(code or "", "other"))
    message_id = reading.clean_id(said.get("message-id"))
    return MailEvent(
        kind=kind,
        name=name,
        identity=reading.identity(proof.get("token"), reading.digest(fields), name),
        recipient=said.get("recipient"),
        message_id=message_id,
        header_id=message_id,
        event_id=proof.get("token"),
        occurred_at=reading.moment(proof.get("timestamp")),
        url=said.get("url"),
        user_agent=said.get("user-agent"),
        status=reading.status_of(said.get("error"), code),
        reason=said.get("error") or said.get("description") or reason,
        reject_reason=reject if kind == "rejected" else "bounced" if kind == "bounced" else None,
        bounce_type="unknown"
        if kind != "bounced"
        else "soft"
        if reading.is_permanent(code, said.get("error")) is False
        else "hard",
        tags=tuple(value for field, value in fields if field.lower() in ("tag", "x-mailgun-tag")),
        metadata=_legacy_metadata(fields),
    )


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
