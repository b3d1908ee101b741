"""Postal: one event a request, signed with the server's RSA key."""

from typing import Any

from cryptography.hazmat.primitives import hashes

from producers.mail import reading
from producers.mail.event import MailEvent, ReportKind
from producers.mail.webhooks.request import Check, Request, WebhookProvider
from producers.mail.webhooks.signatures import public_key_verifies

_KINDS: dict[str, ReportKind] = {
    "MessageSent": "delivered",
    "MessageDelayed": "deferred",
    "MessageDeliveryFailed": "failed",
    "MessageHeld": "queued",
    "MessageBounced": "bounced",
    "MessageLinkClicked": "clicked",
    "MessageLoaded": "opened",
}
_TYPES = {
    "MessageDeliveryFailed": "email.bounced",
    "MessageHeld": "email.deferred",
}  # a held mail is not sent; a failed one was tried


def verify(request: Request, check: Check) -> bool:
    """Check the RSA signature, SHA-256 where the server sends one, else SHA-1."""
    newer = request.headers.get("x-postal-signature-256")
    if newer:
        return public_key_verifies(check.secret, newer, request.body, hashes.SHA256())
    return public_key_verifies(
        check.secret,
        request.headers.get("x-postal-signature"),
        request.body,
        hashes.SHA1(),  # noqa: S303  # its scheme
    )


def parse(request: Request) -> list[MailEvent]:
    """Read the event of a request."""
    body = reading.object_of(reading.json_of(request.body))
    payload = reading.object_of(body.get("payload"))
    message = reading.object_of(payload.get("message")) or reading.object_of(payload.get("original_message"))
    return [_event(body, payload, message)]


def _event(body: Any, payload: Any, message: Any) -> MailEvent:
    name, event_id = str(body.get("event")), reading.text(body.get("uuid"))
    answer = reading.text(payload.get("output"))
    return MailEvent(
        kind=reading.kind_of(_KINDS, name),
        name=name,
        identity=reading.identity(event_id or reading.digest(body), name),
        type=_TYPES.get(name),
        recipient=reading.text(message.get("to")),
        message_id=reading.text(message.get("id")),
        header_id=reading.clean_id(message.get("message_id")),
        event_id=event_id,
        occurred_at=reading.moment(body.get("timestamp"), payload.get("timestamp")),
        url=reading.text(payload.get("url")),
        user_agent=reading.text(payload.get("user_agent")),
        status=reading.status_of(answer),
        reason=answer or reading.text(payload.get("details")),
        reject_reason="bounced" if name == "MessageBounced" else None,
        bounce_type="hard" if name == "MessageDeliveryFailed" else "unknown",
        subject=reading.text(message.get("subject")),
        tags=reading.texts(message.get("tag")),
    )


PROVIDER = WebhookProvider(
    parse, verify, "the server's public key (base64, as the DKIM record has it, or PEM)"
)
