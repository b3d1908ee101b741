"""Mailomat: one event a request. The signature covers its id, kind and time, and not the body."""

from producers.mail import reading
from producers.mail.event import MailEvent, ReportKind
from producers.mail.webhooks.fields import Fields, bounce_type, mail_event, text_at
from producers.mail.webhooks.request import Check, Request, WebhookProvider
from producers.mail.webhooks.signatures import fresh, hmac_hex, same

_KINDS: dict[str, ReportKind] = {
    "accepted": "sent",
    "not_accepted": "rejected",
    "delivered": "delivered",
    "failure_tmp": "deferred",
    "failure_perm": "bounced",
    "opened": "opened",
    "clicked": "clicked",
    "unsubscribed": "unsubscribed",
    "complained": "complained",
}


_DELIVERY = "payload/delivery-status"
_FIELDS: Fields = {
    "recipient": "recipient",
    "message_id": "messageUuid",
    "header_id": "messageId",
    "event_id": "id",
    "occurred_at": ("occurredAt", "payload/timestamp"),
    "url": "payload/url",
    "user_agent": "payload/client/user-agent",
    "reason": ("payload/reason", f"{_DELIVERY}/message"),
    "subject": "payload/message/headers/subject",
}


def verify(request: Request, check: Check) -> bool:
    """Check the HMAC-SHA256 of id, event and timestamp."""
    identifier, event, stamp = (
        request.headers.get(f"x-mom-webhook-{name}", "") for name in ("id", "event", "timestamp")
    )
    given = request.headers.get("x-mom-webhook-signature", "").removeprefix("sha256=")
    right = hmac_hex(check.secret, f"{identifier}.{event}.{stamp}".encode())
    return bool(identifier) and same(given, right) and fresh(stamp, check)


def parse(request: Request) -> list[MailEvent]:
    """Read the event of a request."""
    body = reading.object_of(reading.json_of(request.body))
    name, kind = str(body.get("eventType")), reading.kind_of(_KINDS, body.get("eventType"))
    event = mail_event(
        _KINDS,
        name,
        body,
        _FIELDS,
        identity=reading.identity(text_at(body, "id") or reading.digest(body), name, body.get("recipient")),
        status=text_at(body, f"{_DELIVERY}/enhanced-code")
        or reading.status_of(text_at(body, f"{_DELIVERY}/message")),
        reject_reason="bounced" if kind == "bounced" else None,
        bounce_type=bounce_type(kind, True),
    )
    return [event]


PROVIDER = WebhookProvider(parse, verify, "the webhook's secret")
