"""What leaves the system: signed webhooks and e-mail.

Each carries an id of run and step, so that a receiver can recognise a repeat.
"""

import asyncio
import email.utils
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from typing import Any
from urllib.parse import unquote, urlsplit

import aiosmtplib
import msgspec
from aiosmtplib import SMTPException, SMTPRecipientsRefused, SMTPResponseException
from standardwebhooks import Webhook

from activity.errors import ActivityError
from activity.settings import settings
from producers.http import OutboundFailed, OutboundRefused, send
from producers.sequences.sending.smtp import tls

_TIMEOUT_S = 10.0  # of a webhook, and of each answer of the mail server
_MAIL_TIMEOUT_S = 30.0  # of all of a mail; far less than a claim's lease
_MAX_ANSWER = 65_536
_MAX_SUBJECT = 200
_NO_TLS = "the mail server does not offer STARTTLS, and no password is sent in plain text: use smtps://"


class DeliveryFailed(ActivityError):
    """A message did not arrive; `permanent` means that a retry cannot help."""

    def __init__(self, message: str, permanent: bool = False, after: timedelta | None = None) -> None:
        super().__init__(message)
        self.permanent = permanent
        self.after = after  # how long the receiver asked to be left alone


def post(url: str, message_id: str, body: Mapping[str, object], secret: str | None) -> str:
    """POST a message as Standard Webhooks defines it, signed where the step names a secret.

    Raises DeliveryFailed on every answer but 2xx.
    """
    now, content = datetime.now(UTC), msgspec.json.encode(body)
    headers = {
        "content-type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now.timestamp())),
    }
    if secret is not None:
        headers["webhook-signature"] = _signer(secret).sign(message_id, now, content.decode())
    bounds: dict[str, Any] = {"timeout_s": _TIMEOUT_S, "max_bytes": _MAX_ANSWER}
    try:
        answer = send("POST", url, headers=headers, content=content, **bounds)
    except OutboundFailed as error:
        raise DeliveryFailed(str(error), permanent=isinstance(error, OutboundRefused)) from None
    if not 200 <= answer.status < 300:
        permanent = answer.status == 410 or 300 <= answer.status < 400  # a redirect leads nowhere else later
        after = _retry_after(answer.headers.get("retry-after", ""), now)
        raise DeliveryFailed(f"the webhook answered {answer.status}", permanent, after)
    return f"answered {answer.status}"


def _retry_after(value: str, now: datetime) -> timedelta | None:
    """Return how long a Retry-After asks to wait, in seconds or until a date; None where it says neither."""
    if value.isascii() and value.isdigit():
        return timedelta(seconds=int(value[:9]))
    try:
        until = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(until - now, timedelta(0)) if until.tzinfo else None


def _signer(name: str) -> Webhook:
    secret = settings().webhook_secrets.get(name)
    if secret is None:
        raise DeliveryFailed(f"no secret {name!r}: add it to ACTIVITY_WEBHOOK_SECRETS", permanent=True)
    try:
        return Webhook(secret.get_secret_value())
    except Exception:  # noqa: BLE001  # the library raises what its base64 decoding does; the secret must not be shown
        message = f"the secret {name!r} is not valid for Standard Webhooks: write whsec_ and base64"
        raise DeliveryFailed(message, permanent=True) from None


def mail(to: str, subject: str, text: str, message_id: str) -> str:
    """Send a notification by e-mail. Raises DeliveryFailed."""
    url = settings().notify_smtp_url
    if url is None:
        message = "ACTIVITY_NOTIFY_SMTP_URL is not set: set it to the mail server for notifications"
        raise DeliveryFailed(message, permanent=True)
    try:
        asyncio.run(_deliver(url.get_secret_value(), _written(to, subject, text, message_id)))
    except SMTPResponseException as error:
        raise _answered(error.code) from None
    except SMTPRecipientsRefused as error:
        raise _answered(error.recipients[0].code) from None
    except (OSError, SMTPException) as error:
        raise DeliveryFailed(f"the mail server: {type(error).__name__}") from None
    return f"notified {to} by e-mail"


def _answered(code: int) -> DeliveryFailed:
    return DeliveryFailed(f"the mail server answered {code}", permanent=code >= 500)


def _written(to: str, subject: str, text: str, message_id: str) -> EmailMessage:
    message, sender = EmailMessage(), settings().notify_from
    try:
        message["From"], message["To"] = sender, to
    except ValueError:
        raise DeliveryFailed(f"{to!r:.200} is not a valid e-mail address", permanent=True) from None
    message["Subject"] = " ".join(subject.split())[:_MAX_SUBJECT]
    message["Date"] = email.utils.format_datetime(datetime.now(UTC))
    message["Message-ID"] = f"<{message_id}@{sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text)
    return message


async def _deliver(url: str, message: EmailMessage) -> None:
    """Send over TLS wherever the server offers it; a password is never sent without."""
    parts = urlsplit(url)
    server = aiosmtplib.SMTP(
        hostname=parts.hostname or "localhost",
        port=parts.port,
        timeout=_TIMEOUT_S,
        use_tls=parts.scheme == "smtps",
        tls_context=tls(),
    )
    async with asyncio.timeout(_MAIL_TIMEOUT_S), server:
        if parts.username:
            if server.get_transport_info("sslcontext") is None:
                raise DeliveryFailed(_NO_TLS, permanent=True)
            await server.login(unquote(parts.username), unquote(parts.password or ""))
        await server.send_message(message)
