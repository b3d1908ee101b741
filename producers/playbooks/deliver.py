"""What leaves the system: signed webhooks and e-mail. Each carries an id made of run and step, so that a receiver can tell a repeat."""

import email.utils
import smtplib
import ssl
from collections.abc import Mapping
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec
from standardwebhooks import Webhook

from activity.errors import ActivityError
from activity.settings import settings
from producers.http import OutboundFailed, OutboundRefused, send

_TIMEOUT_S = 10.0
_MAX_ANSWER = 65_536


class DeliveryFailed(ActivityError):
    """A message that did not arrive; `lasting` says that trying again is no use."""

    def __init__(self, message: str, lasting: bool = False) -> None:
        super().__init__(message)
        self.lasting = lasting


def post(url: str, message_id: str, body: Mapping[str, Any], secret: str | None) -> str:
    """POST a message as Standard Webhooks has it, signed where the step names a secret. Raises DeliveryFailed on all but 2xx."""
    now = datetime.now(UTC)
    content = msgspec.json.encode(body)
    headers = {
        "content-type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now.timestamp())),
    }
    if secret is not None:
        headers["webhook-signature"] = _signer(secret).sign(message_id, now, content.decode())
    try:
        answer = send(
            "POST", url, headers=headers, content=content, timeout_s=_TIMEOUT_S, max_bytes=_MAX_ANSWER
        )
    except OutboundRefused as error:
        raise DeliveryFailed(str(error), lasting=True) from None
    except OutboundFailed as error:
        raise DeliveryFailed(str(error)) from None
    if not 200 <= answer.status < 300:
        raise DeliveryFailed(f"the webhook answered {answer.status}", lasting=answer.status == 410)
    return f"answered {answer.status}"


def _signer(name: str) -> Webhook:
    secret = settings().webhook_secrets.get(name)
    if secret is None:
        raise DeliveryFailed(f"no secret {name!r}: add it to ACTIVITY_WEBHOOK_SECRETS", lasting=True)
    try:
        return Webhook(secret.get_secret_value())
    except Exception:  # noqa: BLE001  # the library raises what its base64 decoding does; the secret must not be shown
        raise DeliveryFailed(
            f"the secret {name!r} is no Standard Webhooks secret: write whsec_ and base64", lasting=True
        ) from None


def mail(to: str, subject: str, text: str, message_id: str) -> str:
    """Send a notification by e-mail. Raises DeliveryFailed."""
    url = settings().notify_smtp_url
    if url is None:
        raise DeliveryFailed(
            "ACTIVITY_NOTIFY_SMTP_URL is not set: no mail server takes notifications", lasting=True
        )
    message = EmailMessage()
    sender = settings().notify_from
    message["From"], message["To"], message["Subject"] = sender, to, " ".join(subject.split())[:200]
    message["Date"] = email.utils.format_datetime(datetime.now(UTC))
    message["Message-ID"] = f"<{message_id}@{sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text)
    try:
        _deliver(url.get_secret_value(), message)
    except smtplib.SMTPResponseException as error:
        raise DeliveryFailed(
            f"the mail server answered {error.smtp_code}", lasting=error.smtp_code >= 500
        ) from None
    except smtplib.SMTPRecipientsRefused as error:
        code = next(iter(error.recipients.values()))[0]
        raise DeliveryFailed(f"the mail server answered {code}", lasting=code >= 500) from None
    except (OSError, smtplib.SMTPException) as error:
        raise DeliveryFailed(f"the mail server: {type(error).__name__}") from None
    return f"told {to} by e-mail"


def _deliver(url: str, message: EmailMessage) -> None:
    parts = urlsplit(url)
    kind = smtplib.SMTP_SSL if parts.scheme == "smtps" else smtplib.SMTP
    with kind(parts.hostname or "localhost", parts.port or 0, timeout=_TIMEOUT_S) as server:
        server.ehlo()
        if kind is smtplib.SMTP and server.has_extn("starttls"):
            server.starttls(context=ssl.create_default_context())
        if parts.username:
            server.login(unquote(parts.username), unquote(parts.password or ""))
        server.send_message(message)
