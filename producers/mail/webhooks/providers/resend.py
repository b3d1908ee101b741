"""Resend, and any signer of Standard Webhooks that reports e-mail in the same shape."""

from collections.abc import Mapping
from typing import Any

from producers.mail import reading
from producers.mail.event import MailEvent, ReportKind
from producers.mail.webhooks.fields import Fields, at, bounce_type, mail_event, text_at, whom
from producers.mail.webhooks.request import Request, WebhookProvider
from producers.mail.webhooks.signatures import standard_webhooks

_KINDS: dict[str, ReportKind] = {
    "email.sent": "sent",
    "email.scheduled": "queued",
    "email.delivered": "delivered",
    "email.delivery_delayed": "deferred",
    "email.deferred": "deferred",
    "email.complained": "complained",
    "email.bounced": "bounced",
    "email.opened": "opened",
    "email.clicked": "clicked",
    "email.failed": "failed",
    "email.suppressed": "rejected",
    "email.rejected": "rejected",
    "email.unsubscribed": "unsubscribed",
}


_FIELDS: Fields = {
    "message_id": ("data/email_id", "data/message_id"),
    "url": ("data/click/link", "data/open/link", "data/url", "data/link"),
    "user_agent": ("data/click/userAgent", "data/open/userAgent", "data/user_agent"),
    "reason": tuple(
        f"data/{detail}/{name}"
        for detail in ("bounce", "failed", "suppressed")
        for name in ("message", "reason")
    ),
    "subject": "data/subject",
    "occurred_at": (
        "data/click/timestamp",
        "data/open/timestamp",
        "created_at",
        "timestamp",
        "data/created_at",
    ),
    "metadata": "data/metadata",
}
_SOFT = ("Transient", "Temporary", "soft")


def parse(request: Request) -> list[MailEvent]:
    """Read the event of a request: one for each of its recipients."""
    if not request.body.strip():
        return []
    body = reading.object_of(reading.json_of(request.body))
    named = (request.headers.get(name) for name in ("webhook-id", "svix-id"))
    request_id = next(filter(None, named), None)
    found = (reading.texts(at(body, f"data/{name}")) for name in ("to", "recipient", "email"))
    addressed = next(filter(None, found), ())
    recipients = whom(reading.kind_of(_KINDS, body.get("type")), addressed)
    return [_event(body, recipient, request_id) for recipient in recipients]


def _event(body: Any, recipient: str | None, request_id: str | None) -> MailEvent:
    name, kind = str(body.get("type")), reading.kind_of(_KINDS, body.get("type"))
    message_id = text_at(body, "data/email_id", "data/message_id")
    return mail_event(
        _KINDS,
        name,
        body,
        _FIELDS,
        identity=reading.identity(request_id or reading.digest(body), name, recipient, message_id),
        recipient=recipient,
        header_id=_header_id(body),
        event_id=request_id,
        reject_reason="bounced" if kind == "bounced" else None,
        bounce_type=bounce_type(kind, _detail(body).get("type") not in _SOFT),
        tags=_tags(at(body, "data/tags")),
    )


def _detail(body: object) -> Mapping[str, object]:
    details = (reading.object_of(at(body, f"data/{name}")) for name in ("bounce", "failed", "suppressed"))
    return next(filter(None, details), {})


def _header_id(body: object) -> str | None:
    headers = reading.objects_of(at(body, "data/headers"))
    named = {str(one.get("name")).lower(): one.get("value") for one in headers}
    return reading.clean_id(named.get("message-id")) or reading.header_id(at(body, "data/message_id"))


def _tags(value: object) -> tuple[str, ...]:
    if isinstance(value, dict):
        return tuple(f"{name}={one}" for name, one in value.items())
    named = tuple(f"{one.get('name')}={one.get('value')}" for one in reading.objects_of(value))
    return named or reading.texts(value)


PROVIDER = WebhookProvider(parse, standard_webhooks, "the signing secret, whsec_...")
