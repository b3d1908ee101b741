"""What became of an event: corrected, retracted, judged anew. One rule, beneath every reader.

The event itself never changes. A later one says what is right, and names it as its cause; it counts until it
is retracted itself, which is how a correction is undone.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from activity.catalogue.types.corrections import EventClassified, EventCorrected
from activity.errors import InvalidEvent
from activity.event import RecordedEvent
from activity.validation import check_correction

CORRECTING = frozenset({"event.corrected", "event.classified"})

_correction = msgspec.json.Decoder(EventCorrected).decode
_classification = msgspec.json.Decoder(EventClassified).decode
_encode = msgspec.json.Encoder(order="sorted").encode
_By = Mapping[UUID | None, Sequence[RecordedEvent]]  # what names an event as its cause, the oldest first


class Change(msgspec.Struct, frozen=True):
    """The later event that counts: which, by whom, when and why."""

    event_id: UUID
    actor: str
    recorded_at: datetime
    reason: str | None = None


class Classified(Change, frozen=True):
    """Whether an open or a click was a machine's; null where that is unknown."""

    machine: bool | None = None


class Fate(msgspec.Struct, frozen=True, kw_only=True):
    """What later events made of one.

    `right` has the payload's fields that are other than recorded, as JSON. A retracted event stays where it
    is listed and counted, and counts for nothing else.
    """

    corrected: Change | None = None
    retracted: Change | None = None
    classified: Classified | None = None
    right: bytes | None = None


AS_RECORDED = Fate()


def fates(events: Iterable[RecordedEvent], later: Iterable[RecordedEvent]) -> dict[UUID, Fate]:
    """Return what `later` events made of these, by their ids; one that nothing changed is left out."""
    by_cause: dict[UUID | None, list[RecordedEvent]] = defaultdict(list)
    for one in sorted(later, key=lambda one: one.seq):
        if one.type in CORRECTING:
            by_cause[one.cause_id].append(one)
    changed = (event for event in events if event.event_id in by_cause)
    return {event.event_id: _fate(event, by_cause) for event in changed}


def right_payload(event: RecordedEvent, fate: Fate) -> msgspec.Raw:
    """Return the payload with the values that are right as far as is known."""
    if fate.right is None:
        return event.payload
    return msgspec.Raw(_encode(right_fields(event, fate)))


def right_fields(event: RecordedEvent, fate: Fate) -> dict[str, Any]:
    """Return the payload's fields, decoded, with the values that are right as far as is known."""
    corrected: dict[str, Any] = msgspec.json.decode(fate.right or b"{}")
    return event.fields() | corrected


def _fate(event: RecordedEvent, by: _By) -> Fate:
    found: dict[str, Any] = {}
    right: dict[str, object] = {}
    for one in by[event.event_id]:
        meant = _meant(one)
        if meant is None or one.seq <= event.seq or _is_retracted(one, by):
            continue
        if isinstance(meant, EventClassified):
            found["classified"] = Classified(*_by_whom(one), meant.rule, meant.machine)
            right |= {"machine": meant.machine}
        elif meant.retracted and _fits(event, None):
            found["retracted"] = Change(*_by_whom(one), meant.reason)
        elif not meant.retracted and meant.correct and _fits(event, right | meant.correct):
            found["corrected"] = Change(*_by_whom(one), meant.reason)
            right |= meant.correct
    if not right or event.is_erased:
        return Fate(**found)
    return Fate(**found, right=_encode(right))


def _by_whom(one: RecordedEvent) -> tuple[UUID, str, datetime]:
    return one.event_id, one.actor, one.recorded_at


def _is_retracted(one: RecordedEvent, by: _By) -> bool:
    return one.event_id in by and _fate(one, by).retracted is not None


def _meant(one: RecordedEvent) -> EventCorrected | EventClassified | None:
    """Return what a later event says; None where it was erased, or where it fits no type."""
    try:
        return (_correction if one.type == "event.corrected" else _classification)(one.payload)
    except msgspec.MsgspecError:
        return None


def _fits(event: RecordedEvent, correct: Mapping[str, object] | None) -> bool:
    try:
        check_correction(event, correct)
    except InvalidEvent:
        return False
    return True
