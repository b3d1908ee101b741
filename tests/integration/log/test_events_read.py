"""What reading the log promises.

Every event once, in the feed's order, at a cost that does not grow with the log.
"""

import random
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

import psycopg
import pytest

from activity.event import Event, RecordedEvent
from db.engine import begin
from db.log.reading import by_seq, counts, feed, lineage
from db.log.reading.feed import FeedKey, FeedQuery
from db.log.reading.filter import LOOK, Filter, accounts_beneath
from db.records import records
from db.records.records import Account
from worker.append import append_batch
from worker.emit import emit

_NAMESPACE = UUID("5b0f3c1e-3a39-4f0e-9b35-0f6f4a8d8f10")
_START = datetime(2026, 1, 1, tzinfo=UTC)
_ACCOUNTS = ["root", "root/a", "root/b", "root/a/x", "other", None]
_PAYLOADS: dict[str, dict[str, Any]] = {
    "note.added": {"text": "hello"},
    "email.sent": {"subject": "Terms"},
    "deal.won": {"name": "Renewal"},
    "account.parent_changed": {"name": "Acme"},
    "acme.form_filled": {},
}


def _events(tenant: int, number: int) -> Iterator[Event]:
    """Events with many ties: forty moments for all of them."""
    choose = random.Random(7).choice
    for n in range(number):
        kind = choose(list(_PAYLOADS))
        account, contact = choose(_ACCOUNTS), choose(["jo", "kim", None])
        yield Event(
            tenant_id=tenant,
            event_id=uuid5(_NAMESPACE, str(n)),
            type=kind,
            payload=_PAYLOADS[kind],
            source=choose(["manual", "api"]),
            actor=choose(["ana@example.com", "system"]),
            account_id=account,
            contact_id=contact,
            record_type=choose(["thread", "call"]),
            record_id=choose(["1", "2", "3"]),
            occurred_at=_START + timedelta(hours=choose(range(40))),
            cause_id=uuid5(_NAMESPACE, str(n - 1)) if n % 10 else None,
        )


@pytest.fixture
def filled(tenant: int) -> int:
    """A workspace with a hierarchy of accounts and 600 events."""
    with begin("producer", tenant) as session:
        parents = {"root/a": "root", "root/b": "root", "root/a/x": "root/a"}
        records.upsert(
            session, tenant, [Account(id=name, parent_id=parents.get(name)) for name in _ACCOUNTS if name]
        )
        emit(session, _events(tenant, 600))
    while append_batch(1000):
        pass
    return tenant


def _all(tenant: int) -> list[RecordedEvent]:
    with begin("reader", tenant) as session:
        return by_seq.after(session, tenant, 0, 10_000).events


def _walk(tenant: int, which: Filter, limit: int) -> list[RecordedEvent]:
    found: list[RecordedEvent] = []
    reached: FeedKey | None = None
    while True:
        with begin("reader", tenant) as session:
            looked = feed.older(session, tenant, which, reached, limit)
        found += looked.events
        if looked.reached is None:
            return found
        assert reached is None or looked.reached < reached, "a walk never stands still"
        reached = looked.reached


def _passes(which: Filter, event: RecordedEvent) -> bool:
    beneath = {"root": ["root/a", "root/b", "root/a/x"], "root/a": ["root/a/x"]}
    return (
        which.account in (None, event.account_id)
        and which.contact in (None, event.contact_id)
        and (
            which.beneath is None
            or event.account_id in beneath.get(which.beneath, [])
            or (event.account_id == which.beneath and event.type == "account.parent_changed")
        )
        and (not which.types or event.type in which.types)
        and which.record_type in (None, event.record_type)
        and which.record_id in (None, event.record_id)
        and which.actor in (None, event.actor)
        and which.source in (None, event.source)
        and (which.since is None or event.occurred_at >= which.since)
        and (which.until is None or event.occurred_at < which.until)
        and (which.as_of is None or event.seq <= which.as_of)
    )


def _random_filters(number: int) -> Iterator[Filter]:
    chance = random.Random(11)
    choices: dict[str, list[Any]] = {
        "account": ["root", "other", "nobody"],
        "contact": ["jo", "nobody"],
        "beneath": ["root", "root/a", "other"],
        "types": [("note.added",), ("email.sent", "deal.won", "email.sent"), ("call.missed",)],
        "record_type": ["thread"],
        "record_id": ["2"],
        "actor": ["system"],
        "source": ["api"],
        "since": [_START + timedelta(hours=10)],
        "until": [_START + timedelta(hours=30)],
        "as_of": [0, 300],
    }
    yield Filter()
    for name, values in choices.items():
        yield from (Filter(**{name: value}) for value in values)
    for _ in range(number):
        yield Filter(
            **{name: chance.choice(values) for name, values in choices.items() if chance.random() < 0.25}
        )


def test_every_filter_finds_what_a_look_at_each_event_finds_in_the_feeds_order(
    filled: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "LOOK", 40)  # so that pages come short
    everything = sorted(_all(filled), key=lambda event: (event.occurred_at, event.seq), reverse=True)
    assert len(everything) == 600
    found_some = 0
    for which in _random_filters(40):
        expected = [event for event in everything if _passes(which, event)]
        found_some += bool(expected)
        for limit in (7, 50):
            assert _walk(filled, which, limit) == expected, which
    assert found_some > 20


def test_the_log_is_read_by_number_in_pages(filled: int) -> None:
    with begin("reader", filled) as session:
        first = by_seq.after(session, filled, 0, 250).events
        second = by_seq.after(session, filled, first[-1].seq, 1000).events
    assert [event.seq for event in first + second] == list(range(1, 601))
    assert first[0].occurred_at.tzinfo is UTC
    assert bytes(first[0].payload).startswith(b"{")


def test_one_event_is_found_by_its_number_and_by_its_id(filled: int) -> None:
    with begin("reader", filled) as session:
        by_id = by_seq.get(session, filled, uuid5(_NAMESPACE, "5"))
        assert by_id is not None
        assert by_seq.get(session, filled, by_id.seq) == by_id
        assert by_seq.get(session, filled, 601) is None
        assert by_seq.get(session, filled, UUID(int=0)) is None


def test_causes_go_up_to_the_first_and_effects_down_to_the_last(filled: int) -> None:
    with begin("reader", filled) as session:
        ids = [uuid5(_NAMESPACE, str(n)) for n in range(20, 30)]
        assert [event.event_id for event in lineage.causes(session, filled, ids[9])] == ids[8::-1]
        assert [event.event_id for event in lineage.causes(session, filled, ids[9], depth=2)] == [
            ids[8],
            ids[7],
        ]
        assert [event.event_id for event in lineage.effects(session, filled, ids[0])] == ids[1:]
        assert [event.event_id for event in lineage.effects(session, filled, ids[0], limit=3)] == ids[1:4]
        assert lineage.causes(session, filled, ids[0]) == []


def test_a_loop_of_causes_ends(tenant: int) -> None:
    one, two = uuid5(_NAMESPACE, "one"), uuid5(_NAMESPACE, "two")
    note: dict[str, Any] = {
        "tenant_id": tenant,
        "type": "note.added",
        "source": "manual",
        "account_id": "a",
        "payload": {"text": "x"},
    }
    with begin("producer", tenant) as session:
        emit(session, [Event(**note, event_id=one, cause_id=two), Event(**note, event_id=two, cause_id=one)])
    append_batch(10)
    with begin("reader", tenant) as session:
        assert {event.event_id for event in lineage.causes(session, tenant, one)} == {one, two}
        assert {event.event_id for event in lineage.effects(session, tenant, one)} == {one, two}


def test_types_are_counted_up_to_a_cap(filled: int) -> None:
    with begin("reader", filled) as session:
        tally = counts.by_type(session, filled)
        assert sum(tally.values()) == 600
        assert set(tally) == set(_PAYLOADS)
        assert set(counts.by_type(session, filled, cap=10).values()) == {10}


def test_a_moment_has_the_number_of_the_last_event_recorded_by_then(filled: int) -> None:
    with begin("producer", filled) as session:
        emit(
            session,
            Event(
                tenant_id=filled, type="note.added", source="manual", account_id="a", payload={"text": "late"}
            ),
        )
    append_batch(1)
    recorded = _all(filled)
    with begin("reader", filled) as session:
        assert by_seq.seq_at(session, filled, recorded[0].recorded_at) == 600
        assert by_seq.seq_at(session, filled, recorded[0].recorded_at - timedelta(microseconds=1)) == 0
        assert by_seq.seq_at(session, filled, recorded[600].recorded_at) == 601


def test_another_tenant_sees_nothing(filled: int, make_tenant: Any) -> None:
    with begin("reader", make_tenant()) as session:
        assert feed.older(session, filled, Filter(), None, 10) == ([], None)
        assert by_seq.after(session, filled, 0, 10) == ([], None)


_PAGES = [
    Filter(),
    Filter(account="account-7"),
    Filter(contact="jo"),
    Filter(types=("note.added",)),
    Filter(types=("note.added", "deal.won", "call.missed")),
    Filter(account="account-7", types=("note.added",)),
    Filter(actor="system"),
    Filter(beneath="root"),
    Filter(since=_START, until=_START + timedelta(days=1)),
]


def test_a_page_reads_by_index_and_no_more_than_it_may_look_at(
    filled: int, admin: psycopg.Connection[Any]
) -> None:
    _fill_up(admin, filled)
    for which in _PAGES:
        with begin("reader", filled) as session:
            query = FeedQuery(
                filled,
                which,
                accounts_beneath(session, filled, which),
                FeedKey(_START + timedelta(days=12), 10**9),
                50,
            )
            for mode in ("force_custom_plan", "force_generic_plan"):
                session.connection().exec_driver_sql(f"set local plan_cache_mode = {mode}")
                explain = "explain (analyze, costs off, timing off, summary off) " + query.page()
                plan = "\n".join(session.connection().exec_driver_sql(explain, query.values).scalars())
                assert "Seq Scan on event" not in plan, plan
                scanned = re.findall(r"Scan .*\bevent \(actual rows=([\d.]+) loops=(\d+)\)", plan)
                assert 0 < max(float(rows) * int(loops) for rows, loops in scanned) <= LOOK, plan
                if not which.types and not which.beneath:
                    assert "Sort" not in plan, plan


def _fill_up(admin: psycopg.Connection[Any], tenant: int) -> None:
    """Add 20,000 events to the log without the append task: what a planner sees."""
    admin.execute(
        """insert into activity.event (seq, occurred_at, recorded_at, event_id, salt, tenant_id, version,
            type, actor, source,
             account_id, contact_id, payload, payload_sha256, hash)
           select 1000 + n, '2026-01-01'::timestamptz + n * interval '1 minute', now(), gen_random_uuid(),
               '\\x00', %s, 1,
             (array['note.added', 'email.sent', 'email.opened'])[1 + n %% 3], 'ana@example.com', 'api',
                 'account-' || n %% 50, 'jo', '{}',
             sha256('\\x00'::bytea || convert_to('{}', 'UTF8')), sha256('')
             from generate_series(1, 20000) n""",
        (tenant,),
    )
    admin.execute("analyze activity.event")
