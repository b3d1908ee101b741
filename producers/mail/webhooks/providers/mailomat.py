"""Mailomat: one event a request. The signature covers its id, kind and time, and not the body."""

from producers.mail import reading
from producers.mail.event import MailEvent, ReportKind
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


def verify(request: Request, check: Check) -> bool:
    """Check the HMAC-SHA256 of id, event and timestamp."""
    identifier, event, stamp = (
        request.headers.get(f"x-mom-webhook-{name}", "") for name in ("id", "event", "timestamp")
    )
    given = request.headers.get("x-mom-webhook-signature", "").removeprefix("sha256=")
    return (
        bool(identifier)
        and same(given, hmac_hex(check.secret, f"{identifier}.{event}.{stamp}".encode()))
        and fresh(stamp, check)
    )


def parse(request: Request) -> list[MailEvent]:
    """Read the event of a request."""
    body = reading.object_of(reading.json_of(request.body))
    payload = reading.object_of(body.get("payload"))
    delivery = reading.object_of(payload.get("delivery-status"))
    headers = reading.object_of(reading.object_of(payload.get("message")).get("headers"))
    name, event_id = str(body.get("eventType")), reading.text(body.get("id"))
    kind, answer = reading.kind_of(_KINDS, name), reading.text(delivery.get("message"))
    return [
        MailEvent(
            kind=kind,
            name=name,
            identity=reading.identity(event_id or reading.digest(body), name, body.get("recipient")),
            recipient=reading.text(body.get("recipient")),
            message_id=reading.text(body.get("messageUuid")),
            header_id=reading.clean_id(body.get("messageId")),
            event_id=event_id,
            occurred_at=reading.moment(body.get("occurredAt"), payload.get("timestamp")),
            url=reading.text(payload.get("url")),
            user_agent=reading.text(reading.object_of(payload.get("client")).get("user-agent")),
            status=reading.text(delivery.get("enhanced-code")) or reading.status_of(answer),
            reason=reading.text(payload.get("reason")) or answer,
            reject_reason="bounced" if kind == "bounced" else None,
            bounce_type="hard" if kind == "bounced" else "unknown",
            subject=reading.text(headers.get("subject")),
        )
    ]


PROVIDER = WebhookProvider(parse, verify, "the webhook's secret")
