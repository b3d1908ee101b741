"""What a person and a script read and say with the `activity` command."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from activity.event import Event
from cli.log import reading
from db.engine import begin
from db.log.reading.filter import Filter
from db.records import records
from db.records.records import Account
from tests.command import activity
from worker.append import append_batch
from worker.emit import emit

_START = datetime(2026, 1, 1, tzinfo=UTC)


def note(tenant: int, text: str, **fields: Any) -> Event:
    defaults: dict[str, Any] = {
        "type": "note.added",
        "source": "manual",
        "actor": "ana@example.com",
        "account_id": "acme",
        "payload": {"text": text},
    }
    return Event(tenant_id=tenant, **(defaults | fields))


@pytest.fixture
def filled(tenant: int) -> int:
    """A workspace with 30 hourly notes, a deal won because of the last, and an account beneath another."""
    notes = [
        note(
            tenant,
            f"note {n}",
            occurred_at=_START + timedelta(hours=n),
            account_id="acme" if n % 3 else "acme-labs",
        )
        for n in range(30)
    ]
    deal = {
        "type": "deal.won",
        "payload": {"name": "Renewal"},
        "record_type": "opportunity",
        "record_id": "7",
        "cause_id": notes[-1].event_id,
    }
    with begin("producer", tenant) as session:
        records.upsert(session, tenant, [Account(id="acme"), Account(id="acme-labs", parent_id="acme")])
        emit(session, [*notes, note(tenant, "", occurred_at=_START + timedelta(days=2), **deal)])
    append_batch(100)
    return tenant


def seqs(output: str) -> list[int]:
    return [int(row.split()[0]) for row in output.splitlines()]


def test_the_feed_is_paged_from_the_newest_on(filled: int) -> None:
    first = json.loads(activity("feed", "--limit", 20, "--json"))
    second = json.loads(activity("feed", "--limit", 20, "--json", "--cursor", first["cursor"]))
    assert [event["seq"] for event in first["events"] + second["events"]] == list(range(31, 0, -1))
    assert second["cursor"] is None
    assert first["events"][0]["payload"] == {"name": "Renewal"}
    assert "other filters" in activity("feed", "--account", "acme", "--cursor", first["cursor"], code=2)


def test_the_feed_reads_as_sentences(filled: int) -> None:
    top = activity("feed", "-n", 2).splitlines()[:2]
    assert top[0].split("  ", 2)[0].strip() == "" or top[0].strip().startswith("31")
    assert "2026-01-03 00:00Z  ana@example.com won Renewal  [acme]" in top[0]
    assert "added a note: note 29  [acme]" in top[1]


def test_the_feed_is_filtered(filled: int) -> None:
    wanted: list[tuple[list[object], list[int]]] = [
        (["--type", "deal.won"], [31]),
        (["--category", "deals"], [31]),
        (["--record", "opportunity:7"], [31]),
        (["--account", "acme-labs", "-n", 2], [28, 25]),
        (["--beneath", "acme", "-n", 2], [28, 25]),
        (["--since", "2026-01-01T03:00:00Z", "--until", "2026-01-01T04:00:00+00:00"], [4]),
        (["--as-of", 3], [3, 2, 1]),
        (["--as-of", "2026-01-01T00:00:00Z"], []),
        (["--source", "api"], []),
        (["--actor", "ana@example.com", "-n", 1], [31]),
    ]
    for options, expected in wanted:
        assert [
            event["seq"] for event in json.loads(activity("feed", "--json", *options))["events"]
        ] == expected, options


def test_a_wrong_filter_is_reported(filled: int) -> None:
    for options, expected in (
        (["--type", "deal.one"], "did you mean 'deal.won'"),
        (["--category", "mails"], "there are email, signals"),
        (["--since", "2026-01-01"], "write a time with its zone"),
        (["--record", "7"], "write TYPE:ID"),
        (["--tenant", "nobody"], "no tenant 'nobody'"),
    ):
        assert expected in activity("feed", *options, code=2)


def test_one_event_is_shown_with_what_made_it_happen_and_what_it_made_happen(filled: int) -> None:
    event = json.loads(activity("show", 30, "--json"))
    assert (event["seq"], event["payload"]) == (30, {"text": "note 29"})
    whole = json.loads(activity("show", event["event_id"], "--causes", "--json"))
    assert (whole["causes"], [effect["seq"] for effect in whole["effects"]]) == ([], [31])
    assert "because       30" in activity("show", 31, "--causes")
    assert "has no event 99" in activity("show", 99, code=1)
    assert "neither an event's number" in activity("show", "x", code=2)


def test_stats_say_where_the_log_stands(filled: int) -> None:
    with begin("producer", filled) as session:
        emit(session, note(filled, "waits"))
    figures = json.loads(activity("stats", "--json"))
    assert (figures["events"], figures["last_minute"], figures["last_day"], figures["waiting"]) == (
        31,
        31,
        31,
        1,
    )
    assert figures["types"] == {"note.added": 30, "deal.won": 1}
    assert "31 events" in activity("stats")


def test_stats_of_an_empty_log_are_zeros(tenant: int) -> None:
    figures = json.loads(activity("stats", "--json"))
    assert (figures["events"], figures["last_hour"], figures["last_recorded_at"], figures["types"]) == (
        0,
        0,
        None,
        {},
    )


def test_tail_ends_with_the_newest_in_the_order_of_the_log(filled: int) -> None:
    assert seqs(activity("tail", "-n", 3)) == [29, 30, 31]
    assert seqs(activity("tail", "--after", 28)) == [29, 30, 31]
    assert len(seqs(activity("tail", "--after", 0))) == 31
    assert [
        json.loads(row)["seq"] for row in activity("tail", "--json", "--type", "deal.won").splitlines()
    ] == [31]
    assert activity("tail", "-n", 0) == ""


@contextmanager
def _emitted_later(tenant: int, events: list[Event]) -> Iterator[None]:
    def say() -> None:
        for event in events:
            with begin("producer", tenant) as session:
                emit(session, event)
            append_batch(10)

    thread = threading.Thread(target=say)
    thread.start()
    yield
    thread.join()


def test_tail_goes_on_with_what_comes_and_passes_the_filter(filled: int) -> None:
    coming = [note(filled, f"new {n}", account_id="acme-labs" if n % 2 else "acme") for n in range(6)]
    following = reading._tail(filled, Filter(account="acme-labs"), True, 1, None)
    assert next(following).seq == 28
    with _emitted_later(filled, coming):
        assert [next(following).event_id for _ in range(3)] == [event.event_id for event in coming[1::2]]
    unfiltered = reading._tail(filled, Filter(), True, 0, 31)
    assert [next(unfiltered).event_id for _ in range(6)] == [event.event_id for event in coming]


def test_an_event_emitted_by_hand_is_in_the_log_with_its_fields(
    tenant: int, admin: psycopg.Connection[Any], append_soon: None
) -> None:
    given = uuid4()
    output = activity(
        *(
            "emit",
            "call.completed",
            "--account",
            "acme",
            "--contact",
            "jo",
            "--record",
            "call:1",
            "--actor",
            "ana@example.com",
        ),
        *(
            "--at",
            "2026-01-02T03:04:05+01:00",
            "--id",
            given,
            "contact_name=Jo = Park",
            "duration_s:=90",
            "--wait",
        ),
    )
    assert [line for line in output.splitlines() if "[info" not in line] == [str(given), "seq 1"], (
        "the log of the appending thread apart"
    )
    row = admin.execute(
        "select account_id, contact_id, record_type, actor, source, occurred_at, payload from activity.event"
    ).fetchone()
    occurred_at = datetime(2026, 1, 2, 2, 4, 5, tzinfo=UTC)
    assert row == (
        "acme",
        "jo",
        "call",
        "ana@example.com",
        "manual",
        occurred_at,
        {"contact_name": "Jo = Park", "duration_s": 90},
    )


def test_a_dry_run_checks_and_says_nothing(tenant: int, admin: psycopg.Connection[Any]) -> None:
    assert json.loads(activity("emit", "note.added", "--account", "a", "text=hello", "--dry-run"))[
        "payload"
    ] == {"text": "hello"}
    assert "did you mean 'note.added'" in activity(
        "emit", "note.addde", "--account", "a", "text=hello", "--dry-run", code=2
    )
    assert "the event is about nothing" in activity("emit", "note.added", "text=hello", "--dry-run", code=2)
    assert "has no zone" in activity(
        "emit", "note.added", "--account", "a", "text=hello", "--at", "2026-01-01T00:00:00", code=2
    )
    assert "write KEY=TEXT" in activity("emit", "note.added", "--account", "a", "hello", code=2)
    assert admin.execute("select count(*) from activity.outbox").fetchone() == (0,)


def test_events_of_standard_input_are_emitted_and_a_bad_line_is_reported(
    tenant: int, admin: psycopg.Connection[Any]
) -> None:
    good = [
        json.dumps({"type": "note.added", "account_id": "a", "payload": {"text": str(n)}}) for n in range(700)
    ]
    lines = [
        *good[:5],
        "no json",
        '{"type": "note.addde", "account_id": "a", "payload": {}}',
        '{"tenant_id": 99}',
        "",
        *good[5:],
    ]
    output = activity("emit", "-", stdin="\n".join(lines), code=1)
    for expected in (
        "line 6: not a JSON object",
        "line 7: type: unknown type 'note.addde'",
        "line 8: tenant_id: 99 is another tenant",
    ):
        assert expected in output
    while append_batch(1000):
        pass
    texts = [text for (text,) in admin.execute("select payload->>'text' from activity.event order by seq")]
    assert texts == [str(n) for n in range(700)]


def test_waiting_for_a_log_that_nobody_appends_to_ends_with_what_to_do(
    tenant: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("producers.log.appended._WAIT_S", 0.1)
    assert "is `activity worker append` running?" in activity(
        "emit", "note.added", "--account", "a", "text=x", "--wait", code=2
    )


def test_tenants_are_added_once_and_listed(environment: dict[str, str]) -> None:
    assert "there is no tenant yet" in activity("stats", code=2)
    made = json.loads(activity("tenant", "add", "acme", "--name", "Acme", "--json"))
    assert (made["slug"], made["name"]) == ("acme", "Acme")
    assert json.loads(activity("tenant", "add", "acme", "--json")) == made
    activity("tenant", "add", "globex")
    assert [json.loads(row)["slug"] for row in activity("tenant", "list", "--json").splitlines()] == [
        "acme",
        "globex",
    ]
    assert "choose one with --tenant" in activity("stats", code=2)
    assert "is not a slug" in activity("tenant", "add", "No Slug", code=2)


@pytest.fixture
def append_soon(environment: dict[str, str]) -> Iterator[None]:
    """A thread that appends what waits."""
    with _repeat(lambda: append_batch(10)):
        yield


@contextmanager
def _repeat(act: Callable[[], object]) -> Iterator[None]:
    ended = threading.Event()

    def run() -> None:
        while not ended.wait(0.02):
            act()

    thread = threading.Thread(target=run)
    thread.start()
    yield
    ended.set()
    thread.join()
