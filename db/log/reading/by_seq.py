"""Reads of the log by number, as the role reader in a transaction that names the tenant."""

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from activity.event import RecordedEvent
from db.engine import driver, driver_errors
from db.log.reading.filter import LOOK, Filter, accounts_beneath
from db.log.reading.rows import BARE, COLUMNS, fetch

_EVERYTHING = Filter()


class SeqSlice(NamedTuple):
    """The events found, and the number up to which all that pass were found. None: up to the end."""

    events: list[RecordedEvent]
    reached: int | None


def after(session: Session, tenant: int, seq: int, limit: int, which: Filter = _EVERYTHING) -> SeqSlice:
    """Return at most `limit` events after number `seq` that pass, the lowest first.

    At most LOOK events are tried: fewer than `limit` may be found though there are more.
    """
    return _slice(session, tenant, which, "seq > %(seq)s", "asc", seq, limit)


def before(session: Session, tenant: int, which: Filter, seq: int | None, limit: int) -> SeqSlice:
    """Return the events before number `seq` (None: the newest) that pass, the highest first. As `after`."""
    within = "true" if seq is None else "seq < %(seq)s"
    return _slice(session, tenant, which, within, "desc", seq, limit)


def _slice(
    session: Session, tenant: int, which: Filter, within: str, direction: str, seq: int | None, limit: int
) -> SeqSlice:
    passing = " and ".join(which.conditions().values()) or "true"
    values = which.values(accounts_beneath(session, tenant, which))
    values |= {"tenant": tenant, "seq": seq, "limit": limit, "look": limit if passing == "true" else LOOK}
    log = f"from activity.event where tenant_id = %(tenant)s and {within} order by seq {direction}"
    query = f"""
        select {COLUMNS} from (select {BARE} {log} limit %(look)s) looked_at
         where {passing} order by seq {direction} limit %(limit)s"""
    found = fetch(session, query, values)
    if len(found) == limit:
        return SeqSlice(found, found[-1].seq)
    if passing == "true":
        return SeqSlice(found, None)
    with driver_errors():
        last = f"select seq {log} offset %(look)s - 1 limit 1"
        end = driver(session).execute(last.encode(), values).fetchone()
    return SeqSlice(found, end[0] if end else None)


def get(session: Session, tenant: int, ref: int | UUID) -> RecordedEvent | None:
    """Return the event with this number or this event_id, or None."""
    which = "seq = %(ref)s" if isinstance(ref, int) else "event_id = %(ref)s"
    query = f"select {COLUMNS} from activity.event where tenant_id = %(tenant)s and {which}"
    return next(iter(fetch(session, query, {"tenant": tenant, "ref": ref})), None)


def chain_hash(session: Session, tenant: int, seq: int) -> bytes:
    """Return the hash of an event in its chain."""
    query = text("select hash from activity.event where tenant_id = :tenant and seq = :seq")
    return bytes(session.execute(query, {"tenant": tenant, "seq": seq}).scalar_one())


# recorded_at never runs backwards, so the number is found by halving: one probe of the key a step.
_SEQ_AT = text("""
with recursive search (low, high) as (
  select cast(0 as bigint), seq from activity.head where tenant_id = :tenant
  union all
  select case when e.recorded_at <= :moment then e.seq else low end,
         case when e.recorded_at <= :moment then high else e.seq - 1 end
    from search cross join lateral (
      select seq, recorded_at from activity.event
       where tenant_id = :tenant and seq = (low + high + 1) / 2) e
   where low < high)
select low from search where low >= high""")


def seq_at(session: Session, tenant: int, moment: datetime) -> int:
    """Return the number of the last event that was recorded at `moment` or before; 0 when there was none."""
    return int(session.execute(_SEQ_AT, {"tenant": tenant, "moment": moment}).scalar_one())


_NUMBERED = f"""
select {COLUMNS} from unnest(%(seqs)s::bigint[]) with ordinality as i (n, place) cross join lateral (
  select {BARE} from activity.event where tenant_id = %(tenant)s and seq = i.n) e order by i.place"""


def numbered(session: Session, tenant: int, seqs: Collection[int]) -> list[RecordedEvent]:
    """Return the events with these numbers, in this order."""
    return fetch(session, _NUMBERED, {"tenant": tenant, "seqs": list(seqs)})


_STORED = f"""
select {COLUMNS} from unnest(%(ids)s::uuid[]) as i (id) cross join lateral (
  select {BARE} from activity.event
   where event_id = i.id and (tenant_id = %(tenant)s) is true limit 1) e"""


def stored(session: Session, tenant: int, ids: Collection[UUID]) -> dict[UUID, RecordedEvent]:
    """Return what the log holds under these ids, with one probe of the index for each."""
    found = fetch(session, _STORED, {"tenant": tenant, "ids": list(ids)})
    return {event.event_id: event for event in found}
