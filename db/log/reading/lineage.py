"""What made an event happen and what it made happen, as the role reader."""

from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from activity.event import RecordedEvent
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
