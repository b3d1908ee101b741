"""Pages of the feed: the newest first, each with a cursor to the next one, which is good for the filters it was made with alone."""

import hashlib
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import msgspec
from sqlalchemy.orm import Session

from activity.errors import ActivityError
from activity.event import RecordedEvent
from db.log import events
from db.log.events import Filter, Key

MAX_PAGE = 500
_LOOKS = 10  # how often a page goes on looking, a bounded number of events each time, before it comes short
_KEY = struct.Struct(">9sqq")
_UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class CursorInvalid(ActivityError):
    """A cursor that no page gave, or that belongs to other filters."""


class Page(NamedTuple):
    """A page of events, the newest first.

    `cursor` leads to the next page; None says that there is none. `looked_to` is set where the page came short though there may be more:
    all events down to this time were looked at, and the next page goes on from there.
    """

    events: list[RecordedEvent]
    cursor: str | None
    looked_to: datetime | None = None


def read_page(
    session: Session,
    tenant: int,
    which: Filter = Filter(),  # noqa: B008  # it is frozen
    cursor: str | None = None,
    limit: int = 50,
) -> Page:
    """Return the page of the tenant's events that pass the filters and follow the cursor, in a transaction of the role reader.

    Raises CursorInvalid.
    """
    if not 0 < limit <= MAX_PAGE:
        raise ActivityError(f"limit {limit}: a page holds 1 to {MAX_PAGE} events")
    before = None if cursor is None else _key(cursor, tenant, which)
    found: list[RecordedEvent] = []
    for _ in range(_LOOKS):
        seen, before = events.look(session, tenant, which, before, limit + 1 - len(found))
        found += seen
        if len(found) > limit:
            last = found[limit - 1]
            return Page(found[:limit], cursor_of(Key(last.occurred_at, last.seq), tenant, which))
        if before is None:
            return Page(found, None)
    assert before is not None
    return Page(found, cursor_of(before, tenant, which), before.occurred_at)


def _digest(tenant: int, which: Filter) -> bytes:
    same = msgspec.structs.replace(which, types=tuple(sorted(set(which.types))))
    return hashlib.sha256(msgspec.json.encode((tenant, same))).digest()[:9]


def cursor_of(key: Key, tenant: int, which: Filter) -> str:
    """Return the cursor of the page that follows this place."""
    return (
        urlsafe_b64encode(
            _KEY.pack(_digest(tenant, which), (key.occurred_at - _UNIX_EPOCH) // _MICROSECOND, key.seq)
        )
        .decode()
        .rstrip("=")
    )


def _key(cursor: str, tenant: int, which: Filter) -> Key:
    try:
        digest, microseconds, seq = _KEY.unpack(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        occurred_at = _UNIX_EPOCH + microseconds * _MICROSECOND
    except (ValueError, struct.error, OverflowError):
        raise CursorInvalid(
            "this is no cursor: take the one that the page before gave, or none for the first page"
        ) from None
    if digest != _digest(tenant, which):
        raise CursorInvalid(
            "this cursor belongs to other filters: keep the filters of the page that gave it, or start again without a cursor"
        )
    return Key(occurred_at, seq)
