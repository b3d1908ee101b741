"""Work on due inbound sources: read a mailbox over IMAP, or confirm a subscription."""

import imaplib
from collections import Counter
from datetime import UTC, datetime, timedelta

import msgspec
import structlog

from db.claim import LeaseLost, claim, finish
from db.engine import EVERY_TENANT, begin
from db.mail import sources
from db.mail.sources import SOURCES, ClaimedSource
from producers.http import OutboundFailed
from producers.mail.inbound import imap
from producers.mail.inbound.receive import record_or_set_aside
from producers.mail.webhooks.confirm import confirm

log = structlog.get_logger()

EVERY = timedelta(seconds=60)
_LONGEST_WAIT = timedelta(hours=1)
_MAX_MAILS = 50  # of a claim


def poll_chunk() -> Counter[str]:
    """Do what is due for one source, so that it has its whole lease.

    An empty tally means that nothing was due.
    """
    with begin("producer", EVERY_TENANT) as session:
        claimed = claim(session, SOURCES, 1)
    return Counter(_work(row) for row in claimed)


def _work(row: ClaimedSource) -> str:
    try:
        return _try(row)
    except LeaseLost:
        log.warning("source_lease_lost", source=row.public_id)
        return "lost"


def _try(row: ClaimedSource) -> str:
    try:
        more = _poll_or_confirm(row)
    except (OSError, imaplib.IMAP4.error, OutboundFailed) as error:
        return _failed(row, error)
    with begin("producer", row.tenant_id) as session:
        sources.mark_recovered(session, row.id)
        again = datetime.now(UTC) + (timedelta() if more else EVERY)
        finish(session, SOURCES, row, again if row.mailbox else None)
    return "done"


def _poll_or_confirm(row: ClaimedSource) -> bool:
    if row.confirm_url is None:
        return _poll(row)
    confirm(row, row.confirm_url)
    return False


def _failed(row: ClaimedSource, error: Exception) -> str:
    """Try again, later each time; the operator sees why."""
    wait = min(EVERY * 2 ** min(row.failures, 10), _LONGEST_WAIT)
    with begin("producer", row.tenant_id) as session:
        sources.mark_failed(session, row.id, f"{type(error).__name__}: {error}"[:500])
        finish(session, SOURCES, row, datetime.now(UTC) + wait)
    log.warning("source_failed", source=row.public_id, error=type(error).__name__)
    return "failed"


def _poll(row: ClaimedSource) -> bool:
    """Read the new mails of a mailbox, and change none of them; return whether there are more."""
    with begin("producer", EVERY_TENANT) as session:
        source = sources.find(session, row.public_id)
    if source is None or row.mailbox is None or not source.secrets:
        raise OSError("the mailbox has no password")
    mailbox = msgspec.convert(row.mailbox, imap.ImapMailbox)
    with imap.opened(mailbox, source.secrets[0]) as server:
        validity = imap.uid_validity(server)
        waiting = imap.new_mails(server, row.last_uid if validity == row.uid_validity else 0)
        for uid in waiting[:_MAX_MAILS]:
            _record(row, validity, uid, imap.fetch(server, uid))
    return len(waiting) > _MAX_MAILS


def _record(row: ClaimedSource, validity: int, uid: int, raw: bytes | None) -> None:
    """Record a mail and how far the mailbox is read, and renew the lease, in one transaction."""
    with begin("producer", row.tenant_id) as session:
        result = record_or_set_aside(session, row.tenant_id, row.public_id, raw) if raw is not None else None
        sources.mark_read(session, row.id, validity, uid)
        finish(session, SOURCES, row, datetime.now(UTC) + SOURCES.lease)
    if result is not None:
        log.info("mail_received", tenant_id=row.tenant_id, **result)
