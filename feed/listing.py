"""The four ways a list of events is asked for: by when things happened, by number, around one event, and what came after a number."""

import hashlib
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime
from typing import NamedTuple

import msgspec
from sqlalchemy.orm import Session

from activity.event import RecordedEvent
from db.log import by_seq
from db.log.events import Filter, Key, look
from feed.page import CursorInvalid, cursor_of, read_page

_NUMBER = struct.Struct(">1s9sq")


class Listing(NamedTuple):
    """Events in the order asked for; `cursor` leads on, None is the end; `looked_to` as in `feed.page.Page`."""

    events: list[RecordedEvent]
    cursor: str | None
    looked_to: datetime | None = None


def list_occurred(session: Session, tenant: int, which: Filter, cursor: str | None, limit: int) -> Listing:
    """Return a page of the feed: what happened last comes first."""
    return Listing(*read_page(session, tenant, which, cursor, limit))


def list_recorded(session: Session, tenant: int, which: Filter, cursor: str | None, limit: int) -> Listing:
    """Return a page of the audit view: what was recorded last comes first. Raises CursorInvalid."""
    seq = None if cursor is None else _seq(cursor, tenant, which)
    found, reached = by_seq.before(session, tenant, which, seq, limit)
    if reached is None or reached <= 1:
        return Listing(found, None)
    looked_to = found[-1].recorded_at if found and len(found) < limit else None
    return Listing(found, _cursor(reached, tenant, which), looked_to)


def list_around(session: Session, tenant: int, which: Filter, event: RecordedEvent, limit: int) -> Listing:
    """Return the page that holds this event, with the events just newer above it; the cursor leads to the older ones."""
    key = Key(event.occurred_at, event.seq)
    above = by_seq.newer(session, tenant, which, key, (limit - 1) // 2)
    # The next higher number of the same moment: its page begins with the event itself.
    page = look(session, tenant, which, Key(event.occurred_at, event.seq + 1), limit - len(above))
    if page.reached is None:
        return Listing([*above, *page.events], None)
    return Listing([*above, *page.events], cursor_of(page.reached, tenant, which))


def list_after(session: Session, tenant: int, which: Filter, seq: int, limit: int) -> Listing:
    """Return what was recorded after a number, the oldest first. The cursor only says that there may be more."""
    found, reached = by_seq.after(session, tenant, which, seq, limit)
    return Listing(found, None if reached is None else _cursor(reached, tenant, which))


def _digest(tenant: int, which: Filter) -> bytes:
    return hashlib.sha256(msgspec.json.encode((tenant, which))).digest()[:9]


def _cursor(seq: int, tenant: int, which: Filter) -> str:
    return urlsafe_b64encode(_NUMBER.pack(b"n", _digest(tenant, which), seq)).decode().rstrip("=")


def _seq(cursor: str, tenant: int, which: Filter) -> int:
    try:
        kind, digest, seq = _NUMBER.unpack(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, struct.error):
        raise CursorInvalid(
            "this is no cursor of this order: take the one that the page before gave, or none for the first page"
        ) from None
    if kind != b"n" or digest != _digest(tenant, which):
        raise CursorInvalid(
            "this cursor belongs to other filters: keep the filters of the page that gave it, or start again without a cursor"
        )
    return int(seq)
