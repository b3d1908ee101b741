"""The one way to claim work.

Every kind of waiting or due work in the system is a row of a table with these columns:

    id       bigint primary key
    due_at   timestamptz                  when to do it; null: nothing to do
    fence    integer not null default 0
    priority smallint                     only where a Queue names its priorities; the smallest goes first

with an index on (due_at) or (priority, due_at), both "where due_at is not null". To claim a row is to move
its due_at to the end of a lease and to raise its fence. A holder that dies is forgotten when the lease ends;
one that comes back late finds another fence, and what it did in the transaction of its `finish` is rolled
back.
"""

from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from sqlalchemy import text
from sqlalchemy.orm import Session

from activity.errors import ActivityError


class LeaseLost(ActivityError):
    """Another worker has claimed the work since: roll back."""


@dataclass(frozen=True)
class Claimed:
    """A claimed row. A queue's own class adds the columns that its worker needs, each field named as one."""

    id: int
    fence: int
    tenant_id: int


R = TypeVar("R", bound=Claimed)


@dataclass(frozen=True)
class Queue(Generic[R]):
    """A table of work and what a claim returns of its rows.

    `lease` is how long a claimed row is left to its holder: longer than a chunk ever takes.
    """

    table: str  # our own constant, never input
    row: type[R]
    lease: timedelta = timedelta(seconds=60)
    priorities: tuple[int, ...] = ()


def claim(session: Session, queue: Queue[R], limit: int) -> list[R]:
    """Claim at most `limit` due rows, the most urgent first; pass over rows that another worker is claiming.

    Commit before doing the work, so that others see the lease, or do the work in this same transaction.
    """
    rows: list[R] = []
    for priority in queue.priorities or (None,):
        if len(rows) < limit:
            rows += _claim(session, queue, limit - len(rows), priority)
    return rows


def is_due(session: Session, queue: Queue[R]) -> bool:
    """Return whether a row of the queue is due."""
    statement = text(f"select exists (select from {queue.table} where due_at <= statement_timestamp())")
    return bool(session.execute(statement).scalar_one())


def _claim(session: Session, queue: Queue[R], limit: int, priority: int | None) -> list[R]:
    # statement_timestamp(), not clock_timestamp(): that is volatile, so no index condition, and a claim would
    # walk everything that is not due yet.
    of_priority = "" if priority is None else "priority = :priority and"
    columns = ", ".join(f"w.{field.name}" for field in fields(queue.row))
    statement = text(f"""
        update {queue.table} w set due_at = clock_timestamp() + :lease, fence = w.fence + 1
          from (select id from {queue.table} where {of_priority} due_at <= statement_timestamp()
                 order by due_at limit :limit for update skip locked) due
         where w.id = due.id returning {columns}""")
    values = {"lease": queue.lease, "limit": limit, "priority": priority}
    return [queue.row(*row) for row in session.execute(statement, values)]


def finish(session: Session, queue: Queue[R], row: R, due_at: datetime | None = None) -> None:
    """End a claim in the transaction of what was done: the row is due again at `due_at`, or never.

    Raises LeaseLost if another worker has claimed the row since.
    """
    statement = text(
        f"update {queue.table} set due_at = :due_at where id = :id and fence = :fence returning id"
    )
    values = {"due_at": due_at, "id": row.id, "fence": row.fence}
    if session.execute(statement, values).first() is None:
        raise LeaseLost(f"{queue.table} {row.id} was claimed by another worker")


def renew(session: Session, queue: Queue[R], row: R) -> None:
    """Begin a claim's lease anew, before work that must end within it.

    Raises LeaseLost if another worker has claimed the row since.
    """
    statement = text(f"""
        update {queue.table} set due_at = clock_timestamp() + :lease
         where id = :id and fence = :fence returning id""")
    values = {"lease": queue.lease, "id": row.id, "fence": row.fence}
    if session.execute(statement, values).first() is None:
        raise LeaseLost(f"{queue.table} {row.id} was claimed by another worker")
