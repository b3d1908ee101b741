"""Keep the index of what events say: what recorded events do to it, in the follower's transaction."""

import re
from collections.abc import Iterator, Sequence

from sqlalchemy.orm import Session

from activity.event import RecordedEvent
from activity.fate import AS_RECORDED, CORRECTING, Fate, right_fields
from activity.reading.words import lexeme, places, texts
from db import search
from db.engine import begin
from db.log.reading import fates
from db.search import SearchDocument, quoted

_RANGE = re.compile(r"([0-9]{1,18})(?:-([0-9]{1,18}))?")


def handle(session: Session, tenant: int, events: Sequence[RecordedEvent]) -> None:
    """Index the next events of a workspace; the session also moves the cursor.

    A correction changes what its target is found by, a retraction and an erasure take it out.
    """
    with begin("reader", tenant) as reader:
        changed = [one for chain in fates.subjects(reader, tenant, events).values() for one in chain]
        known = {event.event_id: event for event in (*changed, *events)}
        became = fates.of(reader, tenant, list(known.values()))
    found = {one.seq: _document(one, became.get(id_, AS_RECORDED)) for id_, one in known.items()}
    search.add(session, tenant, [document for document in found.values() if document is not None])
    gone = [seq for seq, document in found.items() if document is None]
    erased = [part for event in events for part in _erased(event)]
    search.remove(session, tenant, [*gone, *search.indexed(session, tenant, erased)])


def _document(event: RecordedEvent, fate: Fate) -> SearchDocument | None:
    found = texts(event.type, right_fields(event, fate))
    if fate.retracted is not None or event.type in CORRECTING or not found:
        return None
    words = places(found)
    lexemes = [f"{quoted(word)}:{','.join(map(str, at[:255]))}" for word, at in words.items()]
    return SearchDocument(event.seq, event.occurred_at, words, " ".join([*lexemes, *_filters(event)]))


def _filters(event: RecordedEvent) -> Iterator[str]:
    for name, value in (("account", event.account_id), ("contact", event.contact_id), ("type", event.type)):
        if value is not None:
            yield quoted(lexeme(name, value))


def _erased(event: RecordedEvent) -> Iterator[tuple[int, int]]:
    """Yield the ranges of numbers that an event says have lost their content."""
    seqs = event.fields().get("seqs") if event.type == "privacy.bodies_erased" else None
    if isinstance(seqs, str):
        yield from ((int(first), int(last or first)) for first, last in _RANGE.findall(seqs))
