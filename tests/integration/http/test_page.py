"""What the pages of the feed promise."""

from datetime import UTC, datetime, timedelta

import pytest

from activity.errors import ActivityError
from activity.event import Event, RecordedEvent
from db.engine import begin
from db.log.reading import feed
from db.log.reading.filter import Filter
from feed import pages
from feed.cursor import InvalidCursor
from feed.pages import Page, by_occurred
from worker.append import append_batch
from worker.emit import emit

_START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def filled(tenant: int) -> int:
    """A workspace with 100 events at ten moments, every tenth by Ana."""
    said = [
        Event(
            tenant_id=tenant,
            type="note.added",
            source="manual",
            account_id="a",
            actor="system" if n % 10 else "ana@example.com",
            payload={"text": str(n)},
            occurred_at=_START + timedelta(hours=n % 10),
        )
        for n in range(100)
    ]
    with begin("producer", tenant) as session:
        emit(session, said)
    append_batch(1000)
    return tenant


def _read(tenant: int, which: Filter, cursor: str | None = None, limit: int = 30) -> Page:
    with begin("reader", tenant) as session:
        return by_occurred(session, tenant, which, cursor, limit)


def test_pages_lead_from_the_newest_event_to_the_oldest_and_the_last_one_says_so(filled: int) -> None:
    found: list[RecordedEvent] = []
    cursor, sizes = None, []
    while True:
        at = _read(filled, Filter(), cursor, 25)
        found += at.events
        sizes.append(len(at.events))
        if (cursor := at.cursor) is None:
            break
    assert sizes == [25, 25, 25, 25]
    keys = [(event.occurred_at, event.seq) for event in found]
    assert keys == sorted(keys, reverse=True)
    assert len(set(keys)) == 100


def test_a_page_that_comes_short_says_how_far_it_looked_and_goes_on_from_there(
    filled: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "LOOK", 5)
    monkeypatch.setattr(pages, "_LOOKS", 2)
    which = Filter(source="nobody")
    first = _read(filled, which, limit=3)
    assert first.events == []
    assert first.looked_to == _START + timedelta(hours=9)
    assert first.cursor is not None
    second = _read(filled, which, first.cursor, limit=3)
    assert second.looked_to == _START + timedelta(hours=8)


def test_a_cursor_is_refused_with_other_filters_for_another_tenant_and_when_it_is_no_cursor(
    filled: int,
) -> None:
    cursor = _read(filled, Filter(types=("note.added", "deal.won"))).cursor
    assert _read(filled, Filter(types=("deal.won", "note.added", "deal.won")), cursor).events
    with pytest.raises(InvalidCursor, match="other filters"):
        _read(filled, Filter(types=("note.added",)), cursor)
    with pytest.raises(InvalidCursor, match="other filters"):
        _read(filled + 1, Filter(types=("note.added", "deal.won")), cursor)
    for wrong in ("", "x", "aaaa", "é", "A" * 34, "A" * 10_000):
        with pytest.raises(InvalidCursor):
            _read(filled, Filter(), wrong)


def test_a_page_has_a_size(filled: int) -> None:
    for wrong in (0, -1, 501):
        with pytest.raises(ActivityError, match="1 to 500"):
            _read(filled, Filter(), limit=wrong)
