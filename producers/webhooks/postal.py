"""Postal: one event a request, signed with the server's RSA key."""

from typing import Any

from cryptography.hazmat.primitives import hashes

from producers.webhooks import read
from producers.webhooks.event import Check, Kind, MailEvent, Provider, Request
from producers.webhooks.signatures import public_key_verifies

_KINDS: dict[str, Kind] = {
    "MessageSent": "delivered",
    "MessageDelayed": "deferred",
    "MessageDeliveryFailed": "failed",
    "MessageHeld": "queued",
    "MessageBounced": "bounced",
    "MessageLinkClicked": "clicked",
    "MessageLoaded": "opened",
}
_TYPES = {"MessageDeliveryFailed": "email.bounced", "MessageHeld": "email.deferred"}  # a held mail is not sent; a failed one was tried


def verify(request: Request, check: Check) -> bool:
    """Check the RSA signature, SHA-256 where the server sends one, else SHA-1."""
    newer = request.headers.get("x-postal-signature-256")
    if newer:
        return public_key_verifies(check.secret, newer, request.body, hashes.SHA256())
    return public_key_verifies(check.secret, request.headers.get("x-postal-signature"), request.body, hashes.SHA1())  # noqa: S303  # its scheme


def parse(request: Request) -> list[MailEvent]:
    """Read the event of a request."""
    body = read.object_of(read.json_of(request.body))
    payload = read.object_of(body.get("payload"))
    message = read.object_of(payload.get("message")) or read.object_of(payload.get("original_message"))
    return [_event(body, payload, message)]


def _event(body: Any, payload: Any, message: Any) -> MailEvent:
    name, event_id = str(body.get("event")), read.text(body.get("uuid"))
    answer = read.text(payload.get("output"))
    return MailEvent(
        kind=read.kind_of(_KINDS, name),
        name=name,
        identity=read.identity(event_id or read.digest(body), name),
        type=_TYPES.get(name),
        recipient=read.text(message.get("to")),
        message_id=read.text(message.get("id")),
        header_id=read.clean_id(message.get("message_id")),
        event_id=event_id,
        occurred_at=read.moment(body.get("timestamp"), payload.get("timestamp")),
        url=read.text(payload.get("url")),
        user_agent=read.text(payload.get("user_agent")),
        status=read.status_of(answer),
        reason=answer or read.text(payload.get("details")),
        reject_reason="bounced" if name == "MessageBounced" else None,
        bounce_type="hard" if name == "MessageDeliveryFailed" else "unknown",
        subject=read.text(message.get("subject")),
        tags=read.texts(message.get("tag")),
    )


PROVIDER = Provider(parse, verify, "the server's public key (base64, as the DKIM record has it, or PEM)")
