"""Whatever a program writes into the outbox by SQL: the log refuses it, or every reader can read it."""

import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from api.log.wire import encoded
from db.engine import begin
from db.log.reading import feed
from db.log.reading.filter import Filter
from feed.follow import Follower
from producers.playbooks.start import handle
from tests.command import activity
from worker.append import append_batch

# Each in place of a field of a document that is as it should be; a payload as the text of its JSON.
ODD: dict[str, dict[str, Any]] = {
    "a year of five digits": {"occurred_at": "10000-01-01T00:00:00Z"},
    "a year before Christ": {"occurred_at": "0001-01-01T00:00:00Z BC"},
    "no year": {"occurred_at": "0000-01-01T00:00:00Z"},
    "the end of time": {"occurred_at": "infinity"},
    "the last moment, west of Greenwich": {"occurred_at": "9999-12-31T23:59:59.999999-12:00"},
    "the first moment, east of it": {"occurred_at": "0001-01-01T00:00:00+12:00"},
    "a zone of seconds": {"occurred_at": "2026-03-01T10:00:00+15:59:59"},
    "a version below zero": {"version": -1},
    "a version beyond an integer": {"version": 10**12},
    "an id that is none": {"cause_id": "x"},
    "a payload that is a list": {"payload": "[1]"},
    "a payload that is null": {"payload": "null"},
    "a key twice": {"payload": '{"text":"a","text":"b"}'},
    "half a surrogate": {"payload": '{"text":"\\ud800"}'},
    "a NUL": {"payload": '{"text":"\\u0000"}'},
    "a number beyond a double": {"payload": '{"text":1e400}'},
    "a number of 5,000 digits": {"payload": '{"text":' + "9" * 5000 + "}"},
    "a number next to nothing": {"payload": '{"text":1e-99999}'},
    "nested 3,000 deep": {"payload": '{"text":' + "[" * 3000 + "]" * 3000 + "}"},
    "spaces": {"payload": ' { "text" : "x" } '},
    "an arrow that turns text round": {"actor": "\u202e"},
}


def document(tenant: int, change: dict[str, Any]) -> str:
    payload = change.get("payload", '{"text":"x"}')
    known = {
        "event_id": str(uuid4()),
        "tenant_id": tenant,
        "type": "note.added",
        "version": 1,
        "occurred_at": "2026-03-01T10:00:00.000000Z",
        "actor": "system",
        "source": "sql",
        "account_id": "acme",
    }
    head = json.dumps(known | {name: value for name, value in change.items() if name != "payload"})
    return f'{head[:-1]},"payload":{payload}}}'


def test_it_is_refused_or_every_reader_can_read_it(
    admin: psycopg.Connection[Any], make_tenant: Callable[[], int], subtests: pytest.Subtests
) -> None:
    for name, change in ODD.items():
        with subtests.test(name):
            check(admin, make_tenant(), change)


def check(admin: psycopg.Connection[Any], tenant: int, change: dict[str, Any]) -> None:
    statement = "insert into activity.outbox (tenant_id, doc) values (%s, %s)"
    try:
        admin.execute(statement, (tenant, document(tenant, change)))
    except psycopg.DataError:
        return
    admin.execute(statement, (tenant, document(tenant, {})))
    tally = append_batch(10)
    assert tally["appended"] >= 1  # its neighbour, whatever became of it
    with begin("reader", tenant) as session:
        events = feed.older(session, tenant, Filter(), None, 10).events
    assert len(events) == tally["appended"]
    assert all(bytes(encoded(event)) for event in events)
    with Follower(tenant, 0) as follower:
        assert sorted(event.seq for event in follower.read()) == sorted(event.seq for event in events)
    with begin("producer", tenant) as session:
        handle(session, tenant, events)
    for event in events:
        activity("show", event.seq, "--tenant", tenant)
    activity("verify")
