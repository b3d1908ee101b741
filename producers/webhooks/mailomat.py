"""Mailomat: one event a request. The signature covers its id, kind and time, and not the body."""

from producers.webhooks import read
from producers.webhooks.event import Check, Kind, MailEvent, Provider, Request
from producers.webhooks.signatures import fresh, hmac_hex, same

_KINDS: dict[str, Kind] = {
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
    identifier, event, stamp = (request.headers.get(f"x-mom-webhook-{name}", "") for name in ("id", "event", "timestamp"))
    given = request.headers.get("x-mom-webhook-signature", "").removeprefix("sha256=")
    return bool(identifier) and same(given, hmac_hex(check.secret, f"{identifier}.{event}.{stamp}".encode())) and fresh(stamp, check)


def parse(request: Request) -> list[MailEvent]:
    """Read the event of a request."""
    body = read.object_of(read.json_of(request.body))
    payload = read.object_of(body.get("payload"))
    delivery = read.object_of(payload.get("delivery-status"))
    headers = read.object_of(read.object_of(payload.get("message")).get("headers"))
    name, event_id = str(body.get("eventType")), read.text(body.get("id"))
    kind, answer = read.kind_of(_KINDS, name), read.text(delivery.get("message"))
    return [
        MailEvent(
            kind=kind,
            name=name,
            identity=read.identity(event_id or read.digest(body), name, body.get("recipient")),
            recipient=read.text(body.get("recipient")),
            message_id=read.text(body.get("messageUuid")),
            header_id=read.clean_id(body.get("messageId")),
            event_id=event_id,
            occurred_at=read.moment(body.get("occurredAt"), payload.get("timestamp")),
            url=read.text(payload.get("url")),
            user_agent=read.text(read.object_of(payload.get("client")).get("user-agent")),
            status=read.text(delivery.get("enhanced-code")) or read.status_of(answer),
            reason=read.text(payload.get("reason")) or answer,
            reject_reason="bounced" if kind == "bounced" else None,
            bounce_type="hard" if kind == "bounced" else "unknown",
            subject=read.text(headers.get("subject")),
        )
    ]


PROVIDER = Provider(parse, verify, "the webhook's secret")
