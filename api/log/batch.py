"""A list of events as it was sent: its items, each bounded before anything is made of it."""

from typing import Any

import msgspec

from activity.canonical import MAX_BYTES
from api.http.encoding import decode
from api.http.problems import Problem

MAX_EVENTS = 500
MAX_ITEM = (
    4 * MAX_BYTES
)  # bytes of an event as it was sent: escapes and line breaks make it longer than it is

# Of a type whose length is known, so that reading ends with the first item too many: of a list of millions,
# each would be an object before anybody counted them.
_Batch = msgspec.defstruct(
    "_Batch",
    [(f"item{place}", msgspec.Raw, msgspec.Raw()) for place in range(MAX_EVENTS)],
    array_like=True,
    forbid_unknown_fields=True,
)


def items(raw: bytes) -> list[msgspec.Raw]:
    """Return the items of a list. Raises the problems too-large and bad-request."""
    try:
        batch: Any = decode(raw, _Batch)
    except Problem as problem:
        if problem.slug == "invalid":  # whatever the items are, they are as many as they may be
            raise Problem("too-large", f"a list holds {MAX_EVENTS} events at most") from None
        raise
    return [item for item in msgspec.structs.astuple(batch) if len(memoryview(item))]


def check_size(raw: bytes | msgspec.Raw) -> None:
    """Raise the problem too-large where an event is longer than any valid one needs to be."""
    if len(memoryview(raw)) > MAX_ITEM:
        raise Problem("too-large", f"an event is sent in {MAX_ITEM:,} bytes at most")
