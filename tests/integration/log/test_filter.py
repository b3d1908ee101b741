"""A filter means the same in SQL and in memory: what a page shows is what the stream delivers."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st
from msgspec.structs import replace

from activity.event import Event, RecordedEvent
from db.engine import begin
from db.log.reading import by_seq, feed
from db.log.reading.filter import Filter, accounts_beneath
from db.records import records
from db.records.records import Account
from worker.append import append_batch
from worker.emit import emit

_START = datetime(2026, 1, 1, tzinfo=UTC)
_ACCOUNTS = ["root", "root/a", "other"]
_TYPES: dict[str, dict[str, Any]] = {
    "note.added": {"text": "hello"},
    "account.parent_changed": {"name": "Acme"},
    "acme.form_filled": {},
}
_EVERY_EVENT = [
    Event(
        tenant_id=0,
        type=type,
        payload=payload,
        source=source,
        actor="ana@example.com" if source == "api" else "system",
        account_id=account,
        contact_id=None if account else "jo",
        record_type="thread" if source == "api" else None,
        record_id="1" if source == "api" else None,
        occurred_at=_START + timedelta(hours=hour),
    )
    for type, payload in _TYPES.items()
    for source in ("api", "manual")
    for account in (*_ACCOUNTS, None)
    for hour in (0, 1, 2)
]


def _one_of(*values: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from([None, None, *values])


_MOMENTS = [_START + timedelta(minutes=minutes) for minutes in (-1, 0, 60, 61, 120, 121)]
FILTERS = st.builds(
    Filter,
    account=_one_of(*_ACCOUNTS, ""),
    contact=_one_of("jo", "kim"),
    beneath=_one_of(*_ACCOUNTS, "unknown"),
    types=st.lists(st.sampled_from([*_TYPES, "call.missed"]), max_size=3).map(tuple),
    record_type=_one_of("thread", "call"),
    record_id=_one_of("1", "2"),
    actor=_one_of("system", "ana@example.com"),
    source=_one_of("api", "manual"),
    since=_one_of(*_MOMENTS),
    until=_one_of(*_MOMENTS),
    as_of=_one_of(0, 1, 40, 10_000),
)


@pytest.fixture
def filled(tenant: int) -> int:
    """A workspace with an account beneath another and an event of every kind."""
    with begin("producer", tenant) as session:
        parents = {"root/a": "root"}
        records.upsert(session, tenant, [Account(id=name, parent_id=parents.get(name)) for name in _ACCOUNTS])
        emit(session, [replace(event, tenant_id=tenant) for event in _EVERY_EVENT])
    while append_batch(1000):
        pass
    return tenant


@hypothesis(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(which=FILTERS)
def test_sql_and_predicate_select_the_same_events(filled: int, which: Filter) -> None:
    with begin("reader", filled) as session:
        everything = by_seq.after(session, filled, 0, 1000).events
        passes = which.predicate(accounts_beneath(session, filled, which))
        expected = [event for event in everything if passes(event)]
        assert by_seq.after(session, filled, 0, 1000, which).events == expected
        assert by_seq.before(session, filled, which, None, 1000).events == expected[::-1]
        assert feed.older(session, filled, which, None, 1000).events == _newest_first(expected)
        before_all = feed.FeedKey(_START - timedelta(days=1), 0)
        assert feed.newer(session, filled, which, before_all, 1000) == _newest_first(expected)


def _newest_first(events: list[RecordedEvent]) -> list[RecordedEvent]:
    by_key: Callable[[RecordedEvent], feed.FeedKey] = feed.key_of
    return sorted(events, key=by_key, reverse=True)
