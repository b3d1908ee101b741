"""Mailboxes while mail is sent from them: their limits and pauses, and the limits of their workspaces.

For transactions of the role producer that see every tenant, or the one whose mailbox it is.
"""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import NamedTuple

from sqlalchemy import text
from sqlalchemy.orm import Session


class Mailbox(NamedTuple):
    """A mailbox with its server and its limits, locked by the transaction that read it."""

    id: int
    tenant_id: int
    address: str
    name: str
    host: str
    port: int
    security: str
    username: str | None
    zone: str
    paused: bool
    paused_until: datetime | None
    paused_reason: str | None
    failures: int
    per_minute: int | None
    per_day: int | None
    spacing_seconds: float
    jitter: float
    recent: Sequence[datetime]
    day: date | None
    day_count: int
    next_at: datetime | None
    queue_at: datetime | None


class Limit(NamedTuple):
    """The limits of a whole workspace, locked by the transaction that read them."""

    tenant_id: int
    per_minute: int | None
    per_day: int | None
    recent: Sequence[datetime]
    day: date | None
    day_count: int
    queue_at: datetime | None


_MAILBOXES = f"select {', '.join(Mailbox._fields)} from crm.mailbox where id = any(:ids)"
_LOCK_MAILBOXES = text(f"{_MAILBOXES} order by id for update")
_LOCK_LIMITS = text(f"""
select {", ".join(Limit._fields)} from crm.sending_limit
 where tenant_id = any(:ids) order by tenant_id for update""")


def lock_mailboxes(session: Session, ids: Iterable[int]) -> dict[int, Mailbox]:
    """Return mailboxes by id; no other transaction counts against their limits until this one ends."""
    rows = session.execute(_LOCK_MAILBOXES, {"ids": sorted(set(ids))})
    return {row.id: Mailbox._make(row) for row in rows}


def read_mailbox(session: Session, id_: int) -> Mailbox:
    """Return a mailbox as it stands, without locking it."""
    return Mailbox._make(session.execute(text(_MAILBOXES), {"ids": [id_]}).one())


def lock_limits(session: Session, tenants: Iterable[int]) -> dict[int, Limit]:
    """Return the limits of workspaces that have some, locked like mailboxes."""
    rows = session.execute(_LOCK_LIMITS, {"ids": sorted(set(tenants))})
    return {row.tenant_id: Limit._make(row) for row in rows}


_COUNT_MAILBOX = text("""
update crm.mailbox
   set recent = :recent, day = :day, day_count = :day_count, next_at = :next_at, queue_at = :queue_at,
       paused = :paused, paused_until = :paused_until, paused_reason = :paused_reason
 where id = :id""")
_COUNT_LIMIT = text("""
update crm.sending_limit
   set recent = :recent, day = :day, day_count = :day_count, queue_at = :queue_at
 where tenant_id = :tenant_id""")


def count_mailbox(session: Session, box: Mailbox) -> None:
    """Save what was counted against a mailbox's limits, and whether its pause is over."""
    session.execute(_COUNT_MAILBOX, {**box._asdict(), "recent": list(box.recent)})


def count_limit(session: Session, limit: Limit) -> None:
    """Save what was counted against a workspace's limits."""
    session.execute(_COUNT_LIMIT, {**limit._asdict(), "recent": list(limit.recent)})


_UNCOUNT = """day_count = greatest(0, day_count - :count),
       recent = trim_array(recent, least(:count, cardinality(recent)))"""
_UNCOUNT_MAILBOX = text(f"update crm.mailbox set {_UNCOUNT} where id = :id")
_UNCOUNT_LIMIT = text(f"update crm.sending_limit set {_UNCOUNT} where tenant_id = :tenant")


def uncount(session: Session, box: Mailbox, count: int) -> None:
    """Take mails that were not sent off the counts of the limits again."""
    values = {"id": box.id, "tenant": box.tenant_id, "count": count}
    session.execute(_UNCOUNT_MAILBOX, values)
    session.execute(_UNCOUNT_LIMIT, values)


def pause_after_failure(session: Session, box: int, until: datetime | None, reason: str) -> bool:
    """Pause a mailbox that is not paused; return whether it was this call that did."""
    statement = text("""
        update crm.mailbox
           set paused = true, paused_until = :until, paused_reason = :reason, failures = failures + 1
         where id = :id and not paused returning 1""")
    return session.execute(statement, {"id": box, "until": until, "reason": reason[:500]}).first() is not None


def reset_failures(session: Session, box: int) -> None:
    """Note that the server answers again: the next pause is a short one."""
    session.execute(text("update crm.mailbox set failures = 0 where id = :id and failures > 0"), {"id": box})
