"""Mails that a worker claimed and does not send now go back to where they were claimed."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import structlog

from activity.settings import settings
from db.engine import begin
from db.sequences import due, limits
from db.sequences.due import Move
from db.sequences.limits import Mailbox
from producers.sequences import events
from producers.sequences.mail import Outgoing
from producers.sequences.sending.outcomes import LONGEST_WAIT_S
from producers.sequences.sending.smtp import ServerDown
from worker.emit import emit

log = structlog.get_logger()


def return_unsent(box: Mailbox, mails: Sequence[Outgoing], down: ServerDown | None) -> None:
    """Return mails that were not sent; where the server is down, pause the mailbox, longer each time."""
    if down is None:
        _return(box, mails, datetime.now(UTC), None)
        return
    wait_s = min(settings().smtp_retry_s * 2 ** min(box.failures, 20), LONGEST_WAIT_S)
    until = None if down.permanent else datetime.now(UTC) + timedelta(seconds=wait_s)
    with begin("producer", box.tenant_id) as session:
        if limits.pause_after_failure(session, box.id, until, str(down)):
            emit(session, events.mailbox_paused(box, until, str(down)))
    log.warning("mailbox_paused", mailbox=box.address, reason=str(down), until=until and until.isoformat())
    _return(box, mails, until, f"mailbox paused: {down}")


def _return(box: Mailbox, mails: Sequence[Outgoing], due_at: datetime | None, reason: str | None) -> None:
    """Let others send these mails, at `due_at` or when the mailbox is resumed.

    They count against no limit.
    """
    spread = timedelta(seconds=random.random())  # noqa: S311  # no secret
    at = due_at and due_at + spread
    moves = [Move(out.due.id, out.due.fence, out.step, at, out.due.attempt, reason=reason) for out in mails]
    with begin("producer", box.tenant_id) as session:
        due.move(session, moves)
        limits.uncount(session, box, len(moves))
