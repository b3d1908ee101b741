"""Twilio SendGrid's Event Webhook: a list of events, signed with ECDSA over a timestamp and the body."""

from typing import Any

from cryptography.hazmat.primitives import hashes

from producers.mail import reading
from producers.mail.event import MailEvent, ReportKind
from producers.mail.webhooks.request import Check, Request, WebhookProvider
from producers.mail.webhooks.signatures import fresh, public_key_verifies

_KINDS: dict[str, ReportKind] = {
    "processed": "queued",
    "dropped": "rejected",
    "deferred": "deferred",
    "bounce": "bounced",
    "delivered": "delivered",
    "open": "opened",
    "click": "clicked",
    "spamreport": "complained",
    "unsubscribe": "unsubscribed",
    "group_unsubscribe": "unsubscribed",
    "group_resubscribe": "subscribed",
}
_REASONS = {
    "invalid": "invalid",
    "unsubscribed address": "unsubscribed",
    "bounced address": "bounced",
    "spam reporting address": "spam",
    "spam content": "blocked",
}
_OWN = {
    "email", "timestamp", "smtp-id", "event", "category", "sg_event_id", "sg_message_id", "reason", "status", "response", "attempt", "type",
    "useragent", "ip", "url", "url_offset", "asm_group_id", "tls", "cert_err", "sg_machine_open", "bounce_classification", "pool",
    "sg_content_type", "send_at", "anymail_id", "unique_args", "marketing_campaign_id", "marketing_campaign_name", "newsletter",
}  # fmt: skip


def verify(request: Request, check: Check) -> bool:
    """Check the ECDSA signature by the verification key of the mail settings."""
    stamp = request.headers.get("x-twilio-email-event-webhook-timestamp")
    signature = request.headers.get("x-twilio-email-event-webhook-signature")
    signed = (stamp or "").encode() + request.body
    return fresh(stamp, check) and public_key_verifies(check.secret, signature, signed, hashes.SHA256())


def parse(request: Request) -> list[MailEvent]:
    """Read the events of a request."""
    return [_event(item) for item in reading.objects_of(reading.json_of(request.body))]


def _event(item: Any) -> MailEvent:
    name, event_id = str(item.get("event")), reading.text(item.get("sg_event_id"))
    message_id = reading.text(item.get("anymail_id")) or reading.text(item.get("sg_message_id"))
    recipient, reason = reading.text(item.get("email")), reading.text(item.get("reason"))
    kind = reading.kind_of(_KINDS, name)
    reject = _REASONS.get((reason or "").lower(), "other") if kind == "rejected" else None
    return MailEvent(
        kind=kind,
        name=name,
        identity=reading.identity(
            event_id or reading.digest(item), name, recipient, message_id, item.get("url")
        ),
        recipient=recipient,
        message_id=message_id,
        header_id=reading.clean_id(item.get("smtp-id")),
        event_id=event_id,
        occurred_at=reading.moment(item.get("timestamp")),
        url=reading.text(item.get("url")) if kind == "clicked" else None,
        user_agent=reading.text(item.get("useragent")),
        machine=item.get("sg_machine_open") if isinstance(item.get("sg_machine_open"), bool) else None,
        status=reading.text(item.get("status")),
        reason=reason or reading.text(item.get("response")),
        reject_reason=reject,
        bounce_type="unknown" if kind != "bounced" else "soft" if item.get("type") == "blocked" else "hard",
        tags=reading.texts(item.get("category")),
        metadata=reading.pick(item, _OWN),
    )


PROVIDER = WebhookProvider(
    parse,
    verify,
    "the public key (base64) of Settings > Mail Settings > Event Webhook > Signature Verification",
)
