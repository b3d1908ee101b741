"""Twilio SendGrid's Event Webhook: a list of events, signed with ECDSA over a timestamp and the body."""

from typing import Any

from cryptography.hazmat.primitives import hashes

from producers.mail import reading
from producers.mail.event import MailEvent, ReportKind
from producers.mail.webhooks.fields import Fields, bounce_type, mail_event, text_at
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
# The provider's own fields; the rest are the sender's.
_OWN = {
    "email", "timestamp", "smtp-id", "event", "category", "sg_event_id", "sg_message_id", "reason", "status",
    "response", "attempt", "type", "useragent", "ip", "url", "url_offset", "asm_group_id", "tls", "cert_err",
    "sg_machine_open", "bounce_classification", "pool", "sg_content_type", "send_at", "anymail_id",
    "unique_args", "marketing_campaign_id", "marketing_campaign_name", "newsletter",
}  # fmt: skip
_MESSAGE_ID = ("anymail_id", "sg_message_id")
_FIELDS: Fields = {
    "recipient": "email",
    "message_id": _MESSAGE_ID,
    "header_id": "smtp-id",
    "event_id": "sg_event_id",
    "occurred_at": "timestamp",
    "user_agent": "useragent",
    "status": "status",
    "reason": ("reason", "response"),
    "tags": "category",
}


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
    name, kind = str(item.get("event")), reading.kind_of(_KINDS, item.get("event"))
    event_id, recipient = text_at(item, "sg_event_id"), text_at(item, "email")
    message_id, by_machine = text_at(item, *_MESSAGE_ID), item.get("sg_machine_open")
    reason = (text_at(item, "reason") or "").lower()
    return mail_event(
        _KINDS,
        name,
        item,
        _FIELDS,
        identity=reading.identity(
            event_id or reading.digest(item), name, recipient, message_id, item.get("url")
        ),
        url=text_at(item, "url") if kind == "clicked" else None,
        machine=by_machine if isinstance(by_machine, bool) else None,
        reject_reason=_REASONS.get(reason, "other") if kind == "rejected" else None,
        bounce_type=bounce_type(kind, item.get("type") != "blocked"),
        metadata=reading.pick(item, _OWN),
    )


PROVIDER = WebhookProvider(
    parse,
    verify,
    "the public key (base64) of Settings > Mail Settings > Event Webhook > Signature Verification",
)
