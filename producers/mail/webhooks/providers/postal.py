"""Postal: one event a request, signed with the server's RSA key."""

from cryptography.hazmat.primitives import hashes

from producers.mail import reading
from producers.mail.event import MailEvent, ReportKind
from producers.mail.webhooks.fields import Fields, mail_event, text_at
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
# A held mail is not sent; a failed one was tried.
_TYPES = {"MessageDeliveryFailed": "email.bounced", "MessageHeld": "email.deferred"}


_MAIL = ("payload/message", "payload/original_message")
_FIELDS: Fields = {
    "recipient": tuple(f"{mail}/to" for mail in _MAIL),
    "message_id": tuple(f"{mail}/id" for mail in _MAIL),
    "header_id": tuple(f"{mail}/message_id" for mail in _MAIL),
    "event_id": "uuid",
    "occurred_at": ("timestamp", "payload/timestamp"),
    "url": "payload/url",
    "user_agent": "payload/user_agent",
    "reason": ("payload/output", "payload/details"),
    "subject": tuple(f"{mail}/subject" for mail in _MAIL),
    "tags": tuple(f"{mail}/tag" for mail in _MAIL),
}


def verify(request: Request, check: Check) -> bool:
    """Check the RSA signature, SHA-256 where the server sends one, else SHA-1."""
    newer, older = (request.headers.get(f"x-postal-signature{suffix}") for suffix in ("-256", ""))
    if newer:
        return public_key_verifies(check.secret, newer, request.body, hashes.SHA256())
    return public_key_verifies(check.secret, older, request.body, hashes.SHA1())  # noqa: S303  # its scheme


def parse(request: Request) -> list[MailEvent]:
    """Read the event of a request."""
    body = reading.object_of(reading.json_of(request.body))
    name = str(body.get("event"))
    event = mail_event(
        _KINDS,
        name,
        body,
        _FIELDS,
        identity=reading.identity(text_at(body, "uuid") or reading.digest(body), name),
        type=_TYPES.get(name),
        status=reading.status_of(text_at(body, "payload/output")),
        reject_reason="bounced" if name == "MessageBounced" else None,
        bounce_type="hard" if name == "MessageDeliveryFailed" else "unknown",
    )
    return [event]


PROVIDER = WebhookProvider(
    parse, verify, "the server's public key (base64, as the DKIM record has it, or PEM)"
)
