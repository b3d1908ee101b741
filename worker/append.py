"""The shared append task: from the outbox into the log, then out to the followers.

Every event of the system takes this road.
"""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from celery.exceptions import Reject
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from activity.settings import settings
from db.engine import begin
from db.log import outbox
from db.log.append import BatchAnswer, Poison, Stored, append, move
from db.log.outbox import Waiting
from db.log.rejected import park
from worker.celery import app
from worker.drain import drain
from worker.foreign import QuietRequest, accept
from worker.nudge import nudge
from worker.process.clock import Sweep, look_for
from worker.publish import Appended, publish

log = structlog.get_logger()

TASK = "activity.append"
_PUT_OFF_S = 1.0  # until a message that could not be stored is tried again
_ID_ENDS = 49  # a document begins {"event_id":"<36 characters>: equal beginnings are equal ids
_WORDS = {"a": "appended", "d": "duplicate", "c": "conflict"}
_UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@app.task(name=TASK, bind=True, Request=QuietRequest)  # type: ignore[untyped-decorator]  # celery has no types
def append_waiting(self: Any, *args: Any, **kwargs: Any) -> str:
    """Append all that waits in the outbox; what the message brings is put there first (worker/foreign.py)."""
    try:
        accepted = accept(args, kwargs, self.request.id) if args or kwargs else ""
    except DBAPIError as error:
        # The message is the only copy. An exception would acknowledge it, so it is given back.
        log.warning("append_put_off", error=type(error.orig).__name__)
        time.sleep(_PUT_OFF_S)
        raise Reject(requeue=True) from None
    return accepted + append_all()


def append_all() -> str:
    """Append all that waits in the outbox; return a line for operators."""
    return drain(TASK, lambda: append_batch(settings().batch_size))


def _has_waiting() -> bool:
    with begin("writer") as session:
        return outbox.has_waiting(session)


look_for(Sweep(TASK, append_all, _has_waiting, every_s=0.5, bound_s=60))


def append_batch(limit: int) -> Counter[str]:
    """Move one batch from the outbox into the log in one transaction, publish it and wake the playbooks.

    Empty where nothing waited.
    """
    moved = move(limit)
    if moved is None:
        return Counter()
    stored, rejected = _sift(limit) if isinstance(moved, Poison) else ([moved], 0)
    tally = Counter(_WORDS[letter] for part in stored for letter in part.receipts.statuses)
    tally["rejected"] = rejected
    for part in stored:
        publish(_appended(part), part.receipts.epochs)
    if "appended" in tally:
        for follower in app.conf.followers:
            nudge(follower)
    log.info("events_appended", **tally)
    return +tally


def _sift(limit: int) -> tuple[list[Stored], int]:
    """Move a batch that the log refused as a whole.

    Append what can be, park what can't; return the former, and how many the latter.
    """
    with begin("writer") as session:
        waiting = outbox.claim(session, limit)
        stored = [part for wave in _waves(waiting) for part in _store(session, wave)]
    return stored, len(waiting) - sum(len(part.rows) for part in stored)


def _waves(waiting: Sequence[Waiting]) -> Iterator[list[Waiting]]:
    """Split off the repeats within a batch, so that the log judges them against what it has just stored."""
    firsts: list[Waiting] = []
    repeats: list[Waiting] = []
    seen: set[tuple[int, str]] = set()
    for row in waiting:
        key = (row.tenant_id, row.doc[:_ID_ENDS])
        (repeats if key in seen else firsts).append(row)
        seen.add(key)
    yield from filter(None, (firsts, repeats))


def _store(session: Session, rows: list[Waiting]) -> list[Stored]:
    """Append rows; where the log refuses them, halve until the culprit is alone, and park it with why."""
    answer = append(session, [row.doc for row in rows])
    if isinstance(answer, BatchAnswer):
        return [Stored(rows, answer)]
    if len(rows) > 1:
        half = len(rows) // 2
        return _store(session, rows[:half]) + _store(session, rows[half:])
    log.warning("event_rejected", tenant_id=rows[0].tenant_id, reason=answer.reason)
    park(session, rows[0].tenant_id, rows[0].doc, answer.reason)
    return []


def _appended(part: Stored) -> Iterator[Appended]:
    """Yield the events that are new, as they travel.

    The document with its number and the moment it was recorded.
    """
    recorded_at = (
        (_UNIX_EPOCH + timedelta(microseconds=part.receipts.recorded_us)).isoformat().replace("+00:00", "Z")
    )
    for row, seq, status in zip(part.rows, part.receipts.seqs, part.receipts.statuses, strict=True):
        if status == "a":
            yield Appended(row.tenant_id, seq, f'{row.doc[:-1]},"seq":{seq},"recorded_at":"{recorded_at}"}}')
