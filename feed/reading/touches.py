"""The touches that head an account and a contact: the first and the last, in and out, and the meeting ahead.

They are found in the log itself, so they are exact however late or often corrected their events are. For the
role reader.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec
from sqlalchemy.orm import Session

from activity.event import RecordedEvent
from activity.fate import AS_RECORDED, right_fields
from activity.reading.touch import TOUCHES, Direction, directions
from db.log.reading import fates, feed
from db.log.reading.feed import FeedKey, key_of
from db.log.reading.filter import Filter

_PAGE = 50
_LOOKS = 10  # how often events are looked at from either end, a bounded number each time
_BEGINNING = FeedKey(datetime(1, 1, 1, tzinfo=UTC), 0)

Found = dict[Direction, RecordedEvent]


class TouchFacts(NamedTuple):
    """The first and the last touch from each side, and the last of all, on whatever side.

    Among very many other events one may not have been found: `complete` is false then.
    """

    first: Found
    last: Found
    newest: RecordedEvent | None
    complete: bool


def facts(session: Session, tenant: int, which: Filter) -> TouchFacts:
    """Return the touches of the account or contact that a filter names."""
    which = msgspec.structs.replace(which, types=TOUCHES)
    last: Found = {}
    newest, before, complete = None, None, False
    for _ in range(_LOOKS):
        events, before = feed.older(session, tenant, which, before, _PAGE)
        for event, sides in _touches(session, tenant, events):
            newest = newest or event
            last = dict.fromkeys(sides, event) | last
        if before is None or len(last) == 2:
            complete = True
            break
    first = _first(session, tenant, which)
    return TouchFacts(first, last, newest, complete and first.keys() == last.keys())


def _first(session: Session, tenant: int, which: Filter) -> Found:
    found: Found = {}
    key = _BEGINNING
    for _ in range(_LOOKS):
        events = feed.newer(session, tenant, which, key, _PAGE)[::-1]
        for event, sides in _touches(session, tenant, events):
            found = dict.fromkeys(sides, event) | found
        if len(events) < _PAGE or len(found) == 2:
            break
        key = key_of(events[-1])
    return found


def _touches(
    session: Session, tenant: int, events: Sequence[RecordedEvent]
) -> Iterator[tuple[RecordedEvent, frozenset[Direction]]]:
    became = fates.of(session, tenant, events)
    for event in events:
        sides = directions(event, became.get(event.event_id, AS_RECORDED))
        if sides is not None:
            yield event, sides


def next_meeting(session: Session, tenant: int, which: Filter, now: datetime) -> RecordedEvent | None:
    """Return the nearest meeting ahead, of the 50 that were booked last."""
    which = msgspec.structs.replace(which, types=("meeting.booked",))
    events = feed.older(session, tenant, which, None, _PAGE).events
    became = fates.of(session, tenant, events)
    ahead = []
    for event in events:
        fate = became.get(event.event_id, AS_RECORDED)
        starts = _moment(right_fields(event, fate).get("starts_at"))
        if fate.retracted is None and starts is not None and starts > now:
            ahead.append((starts, event.seq, event))
    return min(ahead)[2] if ahead else None


def _moment(text: object) -> datetime | None:
    try:
        return msgspec.convert(text, datetime)
    except msgspec.ValidationError:
        return None
