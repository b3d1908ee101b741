"""A mailbox that is read: its address as a URL, and where it is."""

from typing import Any
from urllib.parse import unquote, urlsplit

from activity.errors import ActivityError


class MailboxUnclear(ActivityError):
    """The URL names no mailbox."""


def parts_of(url: str) -> dict[str, Any]:
    """Return the parts of imaps://USER@HOST:PORT/FOLDER; imap:// is with STARTTLS, imap+plain:// without, for trusted networks."""
    parts = urlsplit(url)
    security = {"imaps": "tls", "imap": "starttls", "imap+plain": "none"}.get(parts.scheme)
    if security is None or not parts.hostname or not parts.username or parts.password:
        raise MailboxUnclear(
            "give the mailbox as --url imaps://USER@HOST/FOLDER, and its password as --secret"
        )
    port = parts.port or (993 if security == "tls" else 143)
    folder = unquote(parts.path.strip("/")) or "INBOX"
    return {
        "host": parts.hostname,
        "port": port,
        "security": security,
        "username": unquote(parts.username),
        "folder": folder,
    }
