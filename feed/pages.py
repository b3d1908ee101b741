"""Pages of events, each with the cursor of the next.

As they happened, as they were recorded, around one event.

All in a transaction of the role reader that names the tenant.
"""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy.orm import Session

from activity.errors import ActivityError
from activity.event import RecordedEvent
from db.log.reading import by_seq, feed
from db.log.reading.feed import FeedKey, key_of
from db.log.reading.filter import Filter
from feed.cursor import feed_cursor, feed_key, seq_cursor, seq_of

MAX_PAGE = 500
_LOOKS = 10  # how often a page goes on looking, a bounded number of events each time, before it comes short
_EVERYTHING = Filter()


class Page(NamedTuple):
    """Events in the order asked for.

    `cursor` leads to the next page; None means that there is none. `looked_to` is set where the page came
    short though there may be more: all events down to this time were looked at, and the next page goes on
    from there.
    """

    events: list[RecordedEvent]
    cursor: str | None
    looked_to: datetime | None = None


def by_occurred(
    session: Session, tenant: int, which: Filter = _EVERYTHING, cursor: str | None = None, limit: int = 50
) -> Page:
    """Return a page of the feed: what happened last comes first. Raises InvalidCursor."""
    if not 0 < limit <= MAX_PAGE:
        raise ActivityError(f"limit {limit}: a page holds 1 to {MAX_PAGE} events")
    before = None if cursor is None else feed_key(cursor, tenant, which)
    found: list[RecordedEvent] = []
    for _ in range(_LOOKS):
        events, before = feed.older(session, tenant, which, before, limit + 1 - len(found))
        found += events
        if len(found) > limit:
            return Page(found[:limit], feed_cursor(key_of(found[limit - 1]), tenant, which))
        if before is None:
            return Page(found, None)
    assert before is not None
    return Page(found, feed_cursor(before, tenant, which), before.occurred_at)


def by_recorded(session: Session, tenant: int, which: Filter, cursor: str | None, limit: int) -> Page:
    """Return a page of the audit view: what was recorded last comes first. Raises InvalidCursor."""
    seq = None if cursor is None else seq_of(cursor, tenant, which)
    found, reached = by_seq.before(session, tenant, which, seq, limit)
    if reached is None or reached <= 1:
        return Page(found, None)
    looked_to = found[-1].recorded_at if found and len(found) < limit else None
    return Page(found, seq_cursor(reached, tenant, which), looked_to)


def around(session: Session, tenant: int, which: Filter, event: RecordedEvent, limit: int) -> Page:
    """Return the page that holds this event, with those just newer above it.

    The cursor leads to older ones.
    """
    above = feed.newer(session, tenant, which, key_of(event), (limit - 1) // 2)
    # The next higher number of the same moment: the older ones begin with the event itself.
    start = FeedKey(event.occurred_at, event.seq + 1)
    events, reached = feed.older(session, tenant, which, start, limit - len(above))
    return Page(above + events, None if reached is None else feed_cursor(reached, tenant, which))


def after(session: Session, tenant: int, which: Filter, seq: int, limit: int) -> Page:
    """Return what was recorded after a number, the oldest first; with a cursor where there may be more."""
    found, reached = by_seq.after(session, tenant, seq, limit, which)
    return Page(found, None if reached is None else seq_cursor(reached, tenant, which))
