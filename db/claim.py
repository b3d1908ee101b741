"""The one way to claim work.

Every kind of waiting or due work in the system is a row of a table with these columns:

    id      bigint primary key
    due_at  timestamptz          when to do it; null: nothing to do
    fence   integer not null default 0
    priority smallint            only where a Queue names its priorities; the smallest goes first

with an index on (due_at) or (priority, due_at), both "where due_at is not null". To claim a row is to move its due_at to the end of a
lease and to raise its fence. A holder that dies is forgotten when the lease ends; one that comes back late finds another fence, and
what it did in the transaction of its `finish` is rolled back.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import CursorResult, Row, text
from sqlalchemy.orm import Session

from activity.errors import ActivityError


class LeaseLost(ActivityError):
    """The work was claimed by another worker since: roll back, it is theirs now."""


@dataclass(frozen=True)
class Queue:
    """A table of work. `lease` is how long a claimed row is left to its holder: longer than a chunk ever takes."""

    table: str  # a constant of ours, never input
    lease: timedelta = timedelta(seconds=60)
    priorities: tuple[int, ...] = ()


def claim(session: Session, queue: Queue, limit: int) -> Sequence[Row[Any]]:
    """Claim up to `limit` due rows, the most urgent first, and return them whole; rows that another worker is claiming are passed over.

    Commit before doing the work, so that the lease is seen, unless the work is done in this same transaction.
    """
    rows: list[Row[Any]] = []
    for priority in queue.priorities or (None,):
        if len(rows) < limit:
            rows += _claim(session, queue, limit - len(rows), priority)
    return rows


def _claim(session: Session, queue: Queue, limit: int, priority: int | None) -> Sequence[Row[Any]]:
    # statement_timestamp(), not clock_timestamp(), which is volatile: no index condition, so a claim would walk all that is not due yet.
    of_priority = "" if priority is None else "priority = :priority and"
    statement = text(f"""
        update {queue.table} w set due_at = clock_timestamp() + :lease, fence = w.fence + 1
          from (select id from {queue.table} where {of_priority} due_at <= statement_timestamp()
                 order by due_at limit :limit for update skip locked) due
         where w.id = due.id returning w.*""")  # the table's name is a constant of ours
    return session.execute(statement, {"lease": queue.lease, "limit": limit, "priority": priority}).all()


def finish(session: Session, queue: Queue, row: Row[Any], due_at: datetime | None = None) -> None:
    """End a claim in the transaction of what was done: the row is due at `due_at`, or never. Raises LeaseLost if it is another's."""
    statement = text(
        f"update {queue.table} set due_at = :due_at where id = :id and fence = :fence"
    )  # as above
    done: CursorResult[Any] = session.execute(statement, {"due_at": due_at, "id": row.id, "fence": row.fence})  # type: ignore[assignment]  # as an UPDATE gives
    if done.rowcount == 0:
        raise LeaseLost(f"{queue.table} {row.id} was claimed by another worker")
