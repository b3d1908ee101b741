"""Mailboxes that are read over IMAP, and subscriptions that are confirmed: due rows of sources, claimed by the task webhook.poll."""

import imaplib
import re
import ssl
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog

from db.claim import claim, finish, is_due
from db.engine import EVERY_TENANT, begin
from db.mail import sources
from producers import http
from producers.mail.inbound.receive import MAX_MAIL, read_mail, take
from worker.celery import app
from worker.clock import Sweep, look_for
from worker.drain import drain

log = structlog.get_logger()

TASK = "webhook.poll"
EVERY = timedelta(seconds=60)
_AGAIN_AT_MOST = timedelta(hours=1)
_FIRST = timedelta(days=7)  # of the mail that a mailbox holds when it is added, so much is read
_MAILS = 50  # a claim
_TIMEOUT_S = 20
_SIZE = re.compile(rb"RFC822\.SIZE (\d+)")


@app.task(name=TASK)  # type: ignore[untyped-decorator]  # celery has no types
def poll_due() -> str:
    """Read the mailboxes whose turn it is, and confirm subscriptions."""
    return drain(TASK, poll_chunk)


def _is_source_due() -> bool:
    with begin("producer", EVERY_TENANT) as session:
        return is_due(session, sources.SOURCES)


# A mailbox of fifty mails may take long, and a server of others may be slow.
look_for(Sweep(TASK, poll_due, _is_source_due, every_s=5, bound_s=1800))


def poll_chunk() -> Counter[str]:
    """Do what is due for a few sources; an empty tally says that nothing was."""
    with begin("producer", EVERY_TENANT) as session:
        rows = claim(session, sources.SOURCES, 2)
    return Counter(_work(row) for row in rows)


def _work(row: sources.ClaimedSource) -> str:
    try:
        more = _confirm(row, row.confirm_url) if row.confirm_url else _poll(row)
    except (OSError, imaplib.IMAP4.error, http.OutboundFailed) as error:
        return _failed(row, error)
    with begin("producer", row.tenant_id) as session:
        sources.recovered(session, row.id)
        again = datetime.now(UTC) + (timedelta() if more else EVERY)
        finish(session, sources.SOURCES, row, again if row.mailbox else None)
    return "done"


def _failed(row: sources.ClaimedSource, error: Exception) -> str:
    """Try again later and later; the operator sees why."""
    wait = min(EVERY * 2 ** min(row.failures, 10), _AGAIN_AT_MOST)
    with begin("producer", row.tenant_id) as session:
        sources.failed(session, row.id, f"{type(error).__name__}: {error}"[:500])
        finish(session, sources.SOURCES, row, datetime.now(UTC) + wait)
    log.warning("source_failed", source=row.public_id, error=type(error).__name__)
    return "failed"


def _confirm(row: sources.ClaimedSource, url: str) -> bool:
    answer = http.send("GET", url, redirects=0)
    if answer.status != 200:
        raise http.OutboundFailed(f"the confirmation was answered with {answer.status}")
    with begin("producer", row.tenant_id) as session:
        sources.confirmed(session, row.id)
    return False


def _poll(row: sources.ClaimedSource) -> bool:
    """Take what is new in a mailbox, each mail in a transaction with its place; return whether there is more. No mail is changed."""
    with begin("producer", EVERY_TENANT) as session:
        source = sources.source(session, row.public_id)
    if source is None or row.mailbox is None or not source.secrets:
        raise OSError("the mailbox has no password")
    with _open(row.mailbox, source.secrets[0]) as imap:
        validity = int(_answer(imap.response("UIDVALIDITY")[1][0] or b"0"))
        known = row.last_uid if validity == row.uid_validity else 0
        waiting = _new(imap, known)
        for uid in waiting[:_MAILS]:
            raw = _fetch(imap, uid)
            with begin("producer", row.tenant_id) as session:
                if raw is not None:
                    log.info(
                        "mail_taken", tenant_id=row.tenant_id, **take(session, row.tenant_id, read_mail(raw))
                    )
                sources.read_to(session, row.id, validity, uid)
    return len(waiting) > _MAILS


@contextmanager
def _open(mailbox: dict[str, Any], password: str) -> Iterator[imaplib.IMAP4]:
    host, port = mailbox["host"], mailbox["port"]
    tls = ssl.create_default_context()
    if mailbox["security"] == "tls":
        imap: imaplib.IMAP4 = imaplib.IMAP4_SSL(host, port, ssl_context=tls, timeout=_TIMEOUT_S)
    else:
        imap = imaplib.IMAP4(host, port, timeout=_TIMEOUT_S)
    with imap:
        if mailbox["security"] == "starttls":
            imap.starttls(tls)
        imap.login(mailbox["username"], password)
        status, said = imap.select(f'"{mailbox["folder"]}"', readonly=True)
        if status != "OK":
            raise imaplib.IMAP4.error(f"no folder {mailbox['folder']!r}: {_answer(said[0] or b'')}")
        yield imap


def _new(imap: imaplib.IMAP4, after: int) -> list[int]:
    since = (datetime.now(UTC) - _FIRST).strftime("%d-%b-%Y")
    _, found = imap.uid("SEARCH", *(("UID", f"{after + 1}:*") if after else ("SINCE", since)))
    return sorted(
        uid for uid in map(int, (found[0] or b"").split()) if uid > after
    )  # n:* names the last mail even where it is older


def _fetch(imap: imaplib.IMAP4, uid: int) -> bytes | None:
    """Return a mail; None where it is gone by now, or larger than is read."""
    _, sizes = imap.uid("FETCH", str(uid), "(RFC822.SIZE)")
    match = _SIZE.search(sizes[0] if isinstance(sizes[0], bytes) else b"")
    if match is None or int(match[1]) > MAX_MAIL:
        log.warning("mail_passed_over", uid=uid, size=int(match[1]) if match else None)
        return None
    _, parts = imap.uid("FETCH", str(uid), "(BODY.PEEK[])")
    return next((part[1] for part in parts if isinstance(part, tuple)), None)


def _answer(said: bytes) -> str:
    return said.decode("utf-8", "replace")
