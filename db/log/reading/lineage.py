"""What made an event happen and what it made happen, as the role reader."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from activity.event import RecordedEvent
from db.log.reading import by_seq
from db.log.reading.rows import BARE, COLUMNS, fetch

_UP = """
with recursive up (seq, cause_id, depth) as (
  select seq, cause_id, 0 from activity.event where tenant_id = %(tenant)s and event_id = %(event_id)s
  union
  select e.seq, e.cause_id, up.depth + 1 from up cross join lateral (
    select seq, cause_id from activity.event
     where tenant_id = %(tenant)s and event_id = up.cause_id limit 1) e
   where up.depth < %(depth)s)
select seq, min(depth) as depth from up where depth > 0 group by seq"""
_DOWN = """
with recursive down (event_id, seq, depth) as (
  select event_id, seq, 0 from activity.event where tenant_id = %(tenant)s and event_id = %(event_id)s
  union
  select e.event_id, e.seq, down.depth + 1 from down cross join lateral (
    select event_id, seq from activity.event
     where tenant_id = %(tenant)s and cause_id = down.event_id order by seq limit %(limit)s) e
   where down.depth < %(depth)s)
select seq, min(depth) as depth
  from (select seq, depth from down where depth > 0 limit %(limit)s) d group by seq"""


def causes(session: Session, tenant: int, event_id: UUID, depth: int = 20) -> list[RecordedEvent]:
    """Return what made this event happen, and what made that happen, the nearest first."""
    return _chained(session, _UP, tenant=tenant, event_id=event_id, depth=depth)


def effects(
    session: Session, tenant: int, event_id: UUID, depth: int = 20, limit: int = 200
) -> list[RecordedEvent]:
    """Return what this event made happen, and what that made happen, the nearest first; at most `limit`."""
    return _chained(session, _DOWN, tenant=tenant, event_id=event_id, depth=depth, limit=limit)


def _chained(session: Session, keys: str, **values: Any) -> list[RecordedEvent]:
    query = f"""
        select {COLUMNS} from ({keys}) k (key, depth) cross join lateral (
          select {BARE} from activity.event where tenant_id = %(tenant)s and seq = k.key) e
         order by k.depth, seq"""
    return fetch(session, query, values)


CauseOf = Callable[[RecordedEvent], UUID | None]
_DEPTH = 20


def chains(
    session: Session, tenant: int, events: Sequence[RecordedEvent], cause_of: CauseOf
) -> list[list[RecordedEvent]]:
    """Return each event with what caused it, and so on, the nearest first; at most 20 of each.

    What was recorded later is no cause: an id can be named before its event is there.
    """
    known = {event.event_id: event for event in events}
    looked: set[UUID] = set()
    for _ in range(_DEPTH):
        wanted = {id_ for event in known.values() if (id_ := cause_of(event))} - known.keys() - looked
        if not wanted:
            break
        looked |= wanted
        known |= by_seq.stored(session, tenant, wanted)
    return [_chain(event, known, cause_of) for event in events]


def _chain(
    event: RecordedEvent, known: Mapping[UUID, RecordedEvent], cause_of: CauseOf
) -> list[RecordedEvent]:
    chain = [event]
    while len(chain) <= _DEPTH:
        id_ = cause_of(chain[-1])
        cause = known.get(id_) if id_ is not None else None
        if cause is None or cause.seq >= chain[-1].seq:
            break
        chain.append(cause)
    return chain
