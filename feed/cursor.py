"""Cursors: where the next page goes on, as an opaque text, good for one order and one filter."""

import hashlib
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime, timedelta

import msgspec

from activity.errors import ActivityError
from db.log.reading.feed import FeedKey
from db.log.reading.filter import Filter

_CURSOR = struct.Struct(">1s9sqq")  # the order, a digest of workspace and filter, two numbers
_FEED, _SEQ = b"f", b"s"
_UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class InvalidCursor(ActivityError):
    """A cursor that no page gave, or that belongs to another order or other filters."""


def feed_cursor(key: FeedKey, tenant: int, which: Filter) -> str:
    """Return the cursor of the feed's page that follows this place."""
    return _encode(_FEED, tenant, which, (key.occurred_at - _UNIX_EPOCH) // _MICROSECOND, key.seq)


def feed_key(cursor: str, tenant: int, which: Filter) -> FeedKey:
    """Return the place that a cursor of the feed means. Raises InvalidCursor."""
    microseconds, seq = _decode(_FEED, cursor, tenant, which)
    try:
        return FeedKey(_UNIX_EPOCH + microseconds * _MICROSECOND, seq)
    except OverflowError:
        raise _unknown() from None


def seq_cursor(seq: int, tenant: int, which: Filter) -> str:
    """Return the cursor of the page by number that follows this number."""
    return _encode(_SEQ, tenant, which, 0, seq)


def seq_of(cursor: str, tenant: int, which: Filter) -> int:
    """Return the number that a cursor by number means. Raises InvalidCursor."""
    return _decode(_SEQ, cursor, tenant, which)[1]


def _encode(order: bytes, tenant: int, which: Filter, first: int, second: int) -> str:
    packed = _CURSOR.pack(order, _digest(tenant, which), first, second)
    return urlsafe_b64encode(packed).decode().rstrip("=")


def _decode(order: bytes, cursor: str, tenant: int, which: Filter) -> tuple[int, int]:
    try:
        found, digest, first, second = _CURSOR.unpack(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, struct.error):
        raise _unknown() from None
    if found != order:
        raise _unknown()
    if digest != _digest(tenant, which):
        raise InvalidCursor(
            "this cursor belongs to other filters: keep the filters of the page that gave it, "
            "or start again without a cursor"
        )
    return first, second


def _unknown() -> InvalidCursor:
    return InvalidCursor(
        "this is not a cursor of this order: pass the one that the page before gave, "
        "or none for the first page"
    )


def _digest(tenant: int, which: Filter) -> bytes:
    same = msgspec.structs.replace(which, types=tuple(sorted(set(which.types))))
    return hashlib.sha256(msgspec.json.encode((tenant, same))).digest()[:9]
