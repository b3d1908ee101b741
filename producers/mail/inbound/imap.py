"""A mailbox that is read over IMAP: its address as a URL, and what is new in it. No mail is changed."""

import imaplib
import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Literal
from urllib.parse import unquote, urlsplit

import msgspec
import structlog

from activity.errors import ActivityError
from producers.mail.inbound.classify import MAX_MAIL

log = structlog.get_logger()

Security = Literal["tls", "starttls", "none"]

_SCHEMES: dict[str, Security] = {"imaps": "tls", "imap": "starttls", "imap+plain": "none"}
_FIRST = timedelta(days=7)  # how far back a mailbox is read when it is new
_TIMEOUT_S = 20
_SIZE = re.compile(rb"RFC822\.SIZE (\d+)")


class InvalidMailboxUrl(ActivityError):
    """The URL names no mailbox."""


class ImapMailbox(msgspec.Struct):
    """Where a mailbox is and who reads it; its password is the source's secret."""

    host: str
    port: int
    security: Security
    username: str
    folder: str


def mailbox_of(url: str) -> ImapMailbox:
    """Return the mailbox of imaps://USER@HOST:PORT/FOLDER. Raises InvalidMailboxUrl.

    imap:// is with STARTTLS, imap+plain:// without encryption, for trusted networks.
    """
    parts = urlsplit(url)
    security = _SCHEMES.get(parts.scheme)
    if security is None or not parts.hostname or not parts.username or parts.password:
        raise InvalidMailboxUrl(
            "give the mailbox as --url imaps://USER@HOST/FOLDER, and its password as --secret"
        )
    port = parts.port or (993 if security == "tls" else 143)
    folder = unquote(parts.path.strip("/")) or "INBOX"
    return ImapMailbox(parts.hostname, port, security, unquote(parts.username), folder)


@contextmanager
def opened(mailbox: ImapMailbox, password: str) -> Iterator[imaplib.IMAP4]:
    """Log in and open the folder for reading only. Raises OSError or IMAP4.error."""
    tls = ssl.create_default_context()
    with _connected(mailbox, tls) as server:
        if mailbox.security == "starttls":
            server.starttls(tls)
        server.login(mailbox.username, password)
        status, answer = server.select(f'"{mailbox.folder}"', readonly=True)
        if status != "OK":
            words = (answer[0] or b"").decode("utf-8", "replace")
            raise imaplib.IMAP4.error(f"no folder {mailbox.folder!r}: {words}")
        yield server


def _connected(mailbox: ImapMailbox, tls: ssl.SSLContext) -> imaplib.IMAP4:
    if mailbox.security == "tls":
        return imaplib.IMAP4_SSL(mailbox.host, mailbox.port, ssl_context=tls, timeout=_TIMEOUT_S)
    return imaplib.IMAP4(mailbox.host, mailbox.port, timeout=_TIMEOUT_S)


def uid_validity(server: imaplib.IMAP4) -> int:
    """Return the number that changes when a folder numbers its mails anew."""
    return int(server.response("UIDVALIDITY")[1][0] or b"0")


def new_mails(server: imaplib.IMAP4, after: int) -> list[int]:
    """Return the uids after one, in their order; after 0 those of the last days."""
    since = (datetime.now(UTC) - _FIRST).strftime("%d-%b-%Y")
    _, found = server.uid("SEARCH", *(("UID", f"{after + 1}:*") if after else ("SINCE", since)))
    # n:* names the last mail even where it is older.
    return sorted(uid for uid in map(int, (found[0] or b"").split()) if uid > after)


def fetch(server: imaplib.IMAP4, uid: int) -> bytes | None:
    """Return a mail; None where it is gone by now, or larger than is read."""
    _, sizes = server.uid("FETCH", str(uid), "(RFC822.SIZE)")
    match = _SIZE.search(sizes[0] if isinstance(sizes[0], bytes) else b"")
    if match is None or int(match[1]) > MAX_MAIL:
        log.warning("mail_passed_over", uid=uid, size=int(match[1]) if match else None)
        return None
    _, parts = server.uid("FETCH", str(uid), "(BODY.PEEK[])")
    return next((part[1] for part in parts if isinstance(part, tuple)), None)
