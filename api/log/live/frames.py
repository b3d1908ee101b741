"""An event as the streams send it: with what became of it, encoded once for each language."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.orm import Session

from activity.event import RecordedEvent
from activity.fate import AS_RECORDED, Fate
from api.log.wire import encoded, position
from db.log.reading import fates


class Item:
    """An event, what became of it, what it makes of others, and its frames: one for each language."""

    __slots__ = ("_frames", "changed", "event", "fate")

    def __init__(
        self, event: RecordedEvent, fate: Fate = AS_RECORDED, changed: Sequence["Item"] = ()
    ) -> None:
        self.event, self.fate, self.changed = event, fate, changed
        self._frames: dict[str, bytes] = {}

    def frame(self, epoch: UUID, locale: str) -> bytes:
        """Return the event as it goes to every stream in this language."""
        made = self._frames.get(locale)
        if made is None:
            data = bytes(encoded(self.event, self.fate, locale))  # JSON has no line break of its own
            made = self._frames[locale] = b"id: %b\ndata: %b\n\n" % (
                position(epoch, self.event.seq).encode(),
                data,
            )
        return made

    def changed_frame(self, locale: str) -> bytes:
        """Return the event as it reads now that a later one changed its fate. It moves no position."""
        return b"event: changed\ndata: %b\n\n" % bytes(encoded(self.event, self.fate, locale))


def items_of(session: Session, tenant: int, events: Sequence[RecordedEvent]) -> list[Item]:
    """Return what the streams send of these events, each with the earlier ones that it changes."""
    subjects = fates.subjects(session, tenant, events)
    changed = [event for chain in subjects.values() for event in chain]
    became = fates.of(session, tenant, [*events, *changed])

    def item(event: RecordedEvent) -> Item:
        fate = became.get(event.event_id, AS_RECORDED)
        return Item(event, fate, [item(one) for one in subjects.get(event.event_id, ())])

    return [item(event) for event in events]
