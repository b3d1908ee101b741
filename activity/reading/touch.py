"""What counts as a touch: a moment in which a customer and we had to do with each other.

A mail that was sent, an answer, a call, a meeting that took place. Opens, clicks and machines' answers are
none, and what was retracted never happened. An erased call is still one, of unknown direction.
"""

from typing import Literal

from activity.event import RecordedEvent
from activity.fate import Fate, right_fields

Direction = Literal["in", "out"]

_ALWAYS: dict[str, frozenset[Direction]] = {
    "email.sent": frozenset({"out"}),
    "email.replied": frozenset({"in"}),
    "email.received": frozenset({"in"}),
    "meeting.completed": frozenset({"in", "out"}),
}
_CALLS = ("call.completed", "call.missed")
_BY_WORD: dict[str, Direction] = {"inbound": "in", "outbound": "out"}

TOUCHES = (*_ALWAYS, *_CALLS)
"""The types of events that can be touches."""


def directions(event: RecordedEvent, fate: Fate) -> frozenset[Direction] | None:
    """Return from which sides a touch came; none where that is unknown. None: the event is no touch."""
    if event.type not in TOUCHES or fate.retracted is not None:
        return None
    if event.type in _ALWAYS:
        return _ALWAYS[event.type]
    word = right_fields(event, fate).get("direction")
    return frozenset({_BY_WORD[word]} if word in _BY_WORD else ())
