"""Sends what is due: claims it, and lets the mailboxes send what the gate let pass, all at once."""

import asyncio
from collections import Counter

import structlog

from activity.settings import settings
from db.engine import EVERY_TENANT, begin
from db.sequences import messages
from producers.sequences import events
from producers.sequences.sending import outcomes
from producers.sequences.sending.claim import Chunk, claim_chunk
from producers.sequences.sending.sender import GroupCommits, Sender
from worker.emit import emit
from worker.group_commit import Batched

log = structlog.get_logger()

CHUNK = 200
_LOST_ANSWER = "unknown: the worker ended before the mail server's answer was saved"


def send_chunk(limit: int = CHUNK) -> Counter[str]:
    """Send what is due and may go, at most `limit` mails; an empty tally means that nothing was due."""
    tally = Counter({"unknown": _give_up_undecided()})
    with begin("producer", EVERY_TENANT) as session:
        chunk = claim_chunk(session, limit)
    return tally + chunk.tally + (asyncio.run(_send_all(chunk)) if chunk.mails else Counter())


async def _send_all(chunk: Chunk) -> Counter[str]:
    """Send the mails of all mailboxes at once; an internal error is raised when all are done."""
    commits = GroupCommits(Batched(outcomes.mark), Batched(outcomes.save_all_accepted))
    senders = [Sender(commits, chunk.boxes[key], mails) for key, mails in chunk.mails.items()]
    tally = Counter[str]()
    for done in await asyncio.gather(*(sender.send() for sender in senders), return_exceptions=True):
        if isinstance(done, BaseException):
            raise done
        tally += done
    return tally


def _give_up_undecided() -> int:
    with begin("producer", EVERY_TENANT) as session:
        lost = messages.give_up_undecided(session, settings().send_lease_s)
        for row_id in lost:
            message = messages.by_row(session, row_id)
            if message is not None:
                emit(session, events.undecided(message, _LOST_ANSWER))
    if lost:
        log.error("mail_unknown", messages=lost)
    return len(lost)
