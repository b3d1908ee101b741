"""Events as a viewer may see them: the one place through which whatever is shown to people comes.

The rule is `activity.reading.visibility`'s; this reads what it asks for. In a transaction of the role reader
that names the tenant.
"""

from collections.abc import Collection, Sequence
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.orm import Session

from activity.event import RecordedEvent
from activity.fate import AS_RECORDED, Fate
from activity.reading.visibility import Chained, Viewer, cause_of, fact, quotes, readers
from db.log.reading import by_seq, fates, lineage
from db.records import visibility


class Seen(NamedTuple):
    """An event and what became of it; where it is `held_back`, only what everybody may know of both."""

    event: RecordedEvent
    fate: Fate = AS_RECORDED
    held_back: bool = False


class Readable(NamedTuple):
    """An event, what became of it, and the addresses of who may read it; None where everybody may."""

    event: RecordedEvent
    fate: Fate = AS_RECORDED
    readers: frozenset[str] | None = None

    def by(self, viewer: Viewer) -> Seen:
        """Return the event as somebody may see it."""
        if viewer.may_read(self.readers):
            return Seen(self.event, self.fate)
        return Seen(*fact(self.event, self.fate), held_back=True)


def readable(
    session: Session, tenant: int, events: Sequence[RecordedEvent], as_of: int | None = None
) -> list[Readable]:
    """Return events with what became of them, and who may read them.

    `as_of`: what became of them in the log as it was when its last event had this number. Who may read them
    is of now.
    """
    policy = visibility.contents(session, tenant)
    quoting = [event for event in events if quotes(event)]
    found = lineage.chains(session, tenant, quoting, cause_of)
    every = {one.event_id: one for one in (*events, *(one for chain in found for one in chain))}
    now = fates.of(session, tenant, list(every.values()))
    then = now if as_of is None else fates.of(session, tenant, events, as_of)
    who = {
        chain[0].event_id: readers(
            [Chained(one, now.get(one.event_id, AS_RECORDED)) for one in chain], policy
        )
        for chain in found
    }
    return [Readable(one, then.get(one.event_id, AS_RECORDED), who.get(one.event_id)) for one in events]


def get(session: Session, tenant: int, event_id: UUID, viewer: Viewer) -> Seen | None:
    """Return one event as somebody may see it, or None where there is none."""
    found = by_seq.get(session, tenant, event_id)
    return None if found is None else readable(session, tenant, [found])[0].by(viewer)


def held_back(session: Session, tenant: int, event_ids: Collection[UUID], viewer: Viewer) -> set[UUID]:
    """Return which of some events somebody may not read: what came of these may quote an e-mail."""
    if viewer.people is None:
        return set()
    found = list(by_seq.stored(session, tenant, event_ids).values())
    return {one.event.event_id for one in readable(session, tenant, found) if one.by(viewer).held_back}
