"""What became of events that were read, as the role reader. The rule itself is `activity.fate`'s."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from uuid import UUID

from sqlalchemy.orm import Session

from activity.event import RecordedEvent
from activity.fate import CORRECTING, Fate, fates
from db.log.reading import by_seq
from db.log.reading.rows import BARE, COLUMNS, fetch

# Of each event the newest that name it, and of these again: whoever corrects may be retracted. It ends, since
# each has a higher number than what it names.
_LATER = f"""
with recursive later (event_id, seq) as (
  select e.event_id, e.seq from unnest(%(ids)s::uuid[], %(seqs)s::bigint[]) i (id, seq) cross join lateral (
    select event_id, seq from activity.event
     where tenant_id = %(tenant)s and cause_id = i.id and type in ('event.corrected', 'event.classified')
       and seq > i.seq and (%(as_of)s::bigint is null or seq <= %(as_of)s)
     order by seq desc limit 100) e
  union
  select e.event_id, e.seq from later cross join lateral (
    select event_id, seq from activity.event
     where tenant_id = %(tenant)s and cause_id = later.event_id
       and type in ('event.corrected', 'event.classified')
       and seq > later.seq and (%(as_of)s::bigint is null or seq <= %(as_of)s)
     order by seq desc limit 100) e)
select {COLUMNS} from later key (id, n) cross join lateral (
  select {BARE} from activity.event where tenant_id = %(tenant)s and seq = key.n) e
 order by seq limit 5000"""


def of(
    session: Session, tenant: int, events: Sequence[RecordedEvent], as_of: int | None = None
) -> dict[UUID, Fate]:
    """Return what became of these events, by their ids; one that nothing changed is left out.

    `as_of`: in the log as it was when its last event had this number.
    """
    return fates(events, later(session, tenant, events, as_of))


def later(
    session: Session, tenant: int, events: Sequence[RecordedEvent], as_of: int | None = None
) -> list[RecordedEvent]:
    """Return what corrects or judges these events, and what retracts that, the oldest first."""
    if not events:
        return []
    which = {"ids": [event.event_id for event in events], "seqs": [event.seq for event in events]}
    return fetch(session, _LATER, which | {"tenant": tenant, "as_of": as_of})


def subjects(
    session: Session, tenant: int, events: Iterable[RecordedEvent]
) -> dict[UUID, list[RecordedEvent]]:
    """Return, by the id of each event that changes others' fate, what it corrects and what that corrects."""
    correcting = [event for event in events if event.type in CORRECTING]
    causes: dict[UUID, RecordedEvent] = {}
    wanted = _causes(correcting)
    while wanted:
        found = by_seq.stored(session, tenant, wanted)
        causes |= found
        wanted = _causes(found.values()) - causes.keys()
    return {event.event_id: list(_chain(event, causes)) for event in correcting}


def _causes(events: Iterable[RecordedEvent]) -> set[UUID]:
    return {event.cause_id for event in events if event.type in CORRECTING and event.cause_id is not None}


def _chain(event: RecordedEvent, causes: Mapping[UUID, RecordedEvent]) -> Iterator[RecordedEvent]:
    while event.type in CORRECTING and event.cause_id is not None:
        cause = causes.get(event.cause_id)
        if cause is None or cause.seq >= event.seq:
            return
        yield cause
        event = cause
