"""What the demo workspace promises."""

from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import psycopg

from db.engine import begin
from db.records.records import beneath
from producers.demo.history import history
from producers.demo.live import live, write
from worker.append import append_batch

_END = datetime(2026, 6, 1, tzinfo=UTC)


def _append() -> int:
    appended = 0
    while tally := append_batch(1000):
        assert tally.keys() <= {"appended", "duplicate"}
        appended += tally["appended"]
    return appended


def test_ninety_days_of_history_are_written_once_however_often_and_whenever(
    tenant: int, admin: psycopg.Connection[Any]
) -> None:
    assert write(tenant, _END) == 419
    assert _append() == 419
    write(tenant, _END + timedelta(days=3))
    assert _append() == 0
    rows = admin.execute(
        "select min(occurred_at), max(occurred_at), count(distinct type), count(distinct contact_id) from "
        "activity.event"
    )
    ((first, last, types, contacts),) = rows.fetchall()
    assert _END - timedelta(days=90) <= first < last <= _END
    assert (types, contacts) == (28, 12)
    with begin("reader", tenant) as session:
        assert beneath(session, tenant, "halden-group") == ["halden-logistics", "halden-cold-chain"]


def test_every_event_of_the_history_follows_its_cause() -> None:
    told = history(1, _END)
    known = {event.event_id: event for event in told}
    caused = [event for event in told if event.cause_id is not None]
    assert len(caused) > 200
    assert all(known[event.cause_id].occurred_at <= event.occurred_at for event in caused if event.cause_id)
    assert [event.occurred_at for event in told] == sorted(event.occurred_at for event in told)


def test_the_live_trickle_says_events_that_the_log_takes(tenant: int) -> None:
    write(tenant, _END)
    _append()
    assert len(list(islice(live(tenant, every=0.001), 30))) == 30
    assert _append() == 30
