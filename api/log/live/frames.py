"""An event as the streams send it: with what became of it, encoded once for each language."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.orm import Session

from activity.event import RecordedEvent
from activity.event_type import Audience
from activity.fate import CORRECTING
from activity.reading.visibility import Viewer, changes_readers, may_be_private
from api.log.wire import encoded, position
from db.log.reading import fates
from feed.reading.visible import Readable, readable


class Item:
    """An event, what it makes of others, and its frames: one for each language and kind of viewer."""

    __slots__ = ("_frames", "_readable", "changed")

    def __init__(self, readable: Readable, changed: Sequence["Item"] = ()) -> None:
        self._readable, self.changed = readable, changed
        self._frames: dict[tuple[bool, str], bytes] = {}

    @property
    def event(self) -> RecordedEvent:
        """The event as it was recorded."""
        return self._readable.event

    @property
    def is_private(self) -> bool:
        """Whether not everybody may read it, or what it changes."""
        return self._readable.readers is not None or any(one.is_private for one in self.changed)

    def frame(self, epoch: UUID, locale: str, viewer: Viewer) -> bytes:
        """Return the event as it goes to every stream in this language whose viewer may see as much."""
        kind = viewer.may_read(self._readable.readers), locale
        made = self._frames.get(kind)
        if made is None:
            data = self._data(locale, viewer)
            made = self._frames[kind] = b"id: %b\ndata: %b\n\n" % (
                position(epoch, self.event.seq).encode(),
                data,
            )
        return made

    def changed_frame(self, locale: str, viewer: Viewer) -> bytes:
        """Return what this earlier event is now, for the streams. A later event changed its fate.

        It moves no position.
        """
        return b"event: changed\ndata: %b\n\n" % self._data(locale, viewer)

    def _data(self, locale: str, viewer: Viewer) -> bytes:
        """Return it as JSON, which has no line break of its own."""
        return bytes(encoded(*self._readable.by(viewer), locale))


def is_plain(event: RecordedEvent, policy: Audience) -> bool:
    """Return whether the event alone says what the streams send of it."""
    return not (event.type in CORRECTING or changes_readers(event) or may_be_private(event, policy))


def items_of(session: Session, tenant: int, events: Sequence[RecordedEvent]) -> list[Item]:
    """Return what the streams send of these events, each with the earlier ones that it changes."""
    subjects = fates.subjects(session, tenant, events)
    changed = [event for chain in subjects.values() for event in chain]
    known = {one.event.event_id: one for one in readable(session, tenant, [*events, *changed])}

    def item(event: RecordedEvent) -> Item:
        return Item(known[event.event_id], [item(one) for one in subjects.get(event.event_id, ())])

    return [item(event) for event in events]
