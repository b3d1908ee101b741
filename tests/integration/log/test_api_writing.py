"""What writing over HTTP promises."""

import json
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest

from activity.catalogue import CATALOGUE, SYSTEM_TYPES
from activity.settings import settings
from api.http.encoding import MAX_DOCUMENT
from api.log.batch import MAX_EVENTS, MAX_ITEM
from producers.mail import enrollments
from tests import vectors
from tests.recording import append_all
from worker.foreign import accept

Send = Callable[..., httpx.Response]


NOTE = {"type": "note.added", "account_id": "acme", "payload": {"text": "hello"}}


def log(admin: psycopg.Connection[Any]) -> list[tuple[Any, ...]]:
    return admin.execute(
        "select type, actor, source, account_id, payload from activity.event order by seq"
    ).fetchall()


def test_a_posted_event_is_in_the_log_and_its_receipt_names_it(
    send: Send, admin: psycopg.Connection[Any]
) -> None:
    answer = send("POST", "/v1/events", NOTE)
    assert answer.status_code == 201
    assert answer.json() == {
        "event_id": answer.json()["event_id"],
        "status": "accepted",
        "seq": None,
        "problem": None,
    }
    append_all()
    assert log(admin) == [("note.added", "ana@example.com", "api", "acme", {"text": "hello"})]
    assert send("GET", answer.headers["location"]).json()["event"]["seq"] == 1


@pytest.mark.usefixtures("appending")
def test_a_writer_who_waits_gets_the_number_and_reads_the_own_write(send: Send) -> None:
    answer = send("POST", "/v1/accounts/acme/notes", {"text": "hello"}, Prefer="wait=2")
    assert (answer.status_code, answer.json()["status"], answer.json()["seq"]) == (201, "appended", 1)
    assert answer.headers["preference-applied"] == "wait=2"
    (event,) = send("GET", "/v1/events?account=acme&tab=notes").json()["data"]
    assert (event["event_id"], event["payload"], event["source"]) == (
        answer.json()["event_id"],
        {"text": "hello"},
        "manual",
    )


def test_the_same_idempotency_key_makes_one_event_for_good(
    send: Send, admin: psycopg.Connection[Any]
) -> None:
    first = send("POST", "/v1/events", NOTE, Idempotency_Key='"k-1"')
    at_once = send("POST", "/v1/events", NOTE, Idempotency_Key='"k-1"')
    append_all()
    later = send("POST", "/v1/events", NOTE, Idempotency_Key="k-1")
    assert (first.status_code, at_once.status_code, later.status_code) == (201, 201, 200)
    assert later.headers["idempotent-replayed"] == "true"
    assert {answer.json()["event_id"] for answer in (first, at_once, later)} == {first.json()["event_id"]}
    assert later.json()["seq"] == 1
    append_all()
    assert len(log(admin)) == 1


TIMED = NOTE | {"occurred_at": "2026-03-01T10:00:00+01:00", "contact_id": "pat"}
OTHER_WRITES: dict[str, dict[str, Any]] = {
    "account": {"account_id": "acme-2"},
    "contact": {"contact_id": "rita"},
    "no contact": {"contact_id": None},
    "record": {"record_type": "opportunity", "record_id": "d_77"},
    "actor": {"actor": "bo@example.com"},
    "source": {"source": "crm"},
    "cause": {"cause_id": "019a9f3e-5c00-7000-8000-000000000001"},
    "time": {"occurred_at": "2026-03-01T10:00:01+01:00"},
    "type": {"type": "comment.added"},
    "payload": {"payload": {"text": "other"}},
}


@pytest.mark.parametrize("other", OTHER_WRITES.values(), ids=OTHER_WRITES)
def test_an_idempotency_key_covers_the_whole_write(send: Send, other: dict[str, Any]) -> None:
    send("POST", "/v1/events", TIMED, Idempotency_Key="k-1")
    append_all()
    same = TIMED | {"occurred_at": "2026-03-01T09:00:00Z"}
    assert send("POST", "/v1/events", same, Idempotency_Key="k-1").json()["status"] == "duplicate"
    answer = send("POST", "/v1/events", TIMED | other, Idempotency_Key="k-1")
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/idempotency-key-reused")


def test_an_idempotency_key_with_other_content_is_refused(send: Send, admin: psycopg.Connection[Any]) -> None:
    send("POST", "/v1/events", NOTE, Idempotency_Key='"k-1"')
    append_all()
    answer = send("POST", "/v1/accounts/acme/notes", {"text": "other"}, Idempotency_Key='"k-1"')
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/idempotency-key-reused")
    append_all()
    assert len(log(admin)) == 1


def test_a_list_gets_a_receipt_for_each_and_its_valid_events_are_stored(
    send: Send, admin: psycopg.Connection[Any]
) -> None:
    same = str(uuid4())
    send("POST", "/v1/events", NOTE | {"event_id": same})
    append_all()
    items = [
        NOTE,
        NOTE | {"type": "note.addde"},
        NOTE | {"event_id": same},
        NOTE | {"event_id": same, "payload": {"text": "x"}},
        {"x": 1},
    ]
    answer = send("POST", "/v1/events", items, Idempotency_Key='"batch-1"')
    receipts = answer.json()["receipts"]
    assert [receipt["status"] for receipt in receipts] == [
        "accepted",
        "invalid",
        "duplicate",
        "conflict",
        "invalid",
    ]
    assert "did you mean 'note.added'" in receipts[1]["problem"]["detail"]
    append_all()
    assert len(log(admin)) == 2
    again = send("POST", "/v1/events", items, Idempotency_Key='"batch-1"').json()["receipts"]
    assert (again[0]["status"], again[0]["event_id"]) == ("duplicate", receipts[0]["event_id"])


def test_a_list_beyond_500_events_and_a_body_beyond_8_mib_are_refused(send: Send) -> None:
    assert send("POST", "/v1/events", [NOTE] * 501).json()["type"] == "/problems/too-large"
    assert send("POST", "/v1/events", b"[" + b" " * (8 * 1024 * 1024)).status_code == 413


def test_calls_and_comments_are_logged_as_what_they_are(send: Send, admin: psycopg.Connection[Any]) -> None:
    yesterday = "2026-03-01T10:00:00+01:00"
    send(
        "POST",
        "/v1/accounts/acme/calls",
        {"duration_s": 60, "direction": "outbound", "occurred_at": yesterday, "contact_id": "jo"},
    )
    send("POST", "/v1/accounts/acme/calls", {"missed": True, "actor": "bo@example.com"})
    send("POST", "/v1/accounts/acme/comments", {"text": "I will", "mentions": ["bo@example.com"]})
    append_all()
    assert [row[0] for row in log(admin)] == ["call.completed", "call.missed", "comment.added"]
    assert log(admin)[0][4] == {"direction": "outbound", "duration_s": 60}
    assert log(admin)[1][1] == "bo@example.com"
    late = admin.execute("select occurred_at at time zone 'UTC' from activity.event where seq = 1").fetchone()
    assert late is not None
    assert str(late[0]) == "2026-03-01 09:00:00"


def test_a_correction_is_a_new_event_that_points_at_the_old_one(
    send: Send, admin: psycopg.Connection[Any]
) -> None:
    first = send("POST", "/v1/events", NOTE).json()["event_id"]
    append_all()
    answer = send(
        "POST", f"/v1/events/{first}/corrections", {"correct": {"text": "hello!"}, "reason": "typo"}
    )
    assert answer.status_code == 201
    append_all()
    detail = send("GET", f"/v1/events/{first}").json()
    assert detail["event"]["payload"] == {"text": "hello"}
    (correction,) = detail["corrections"]
    assert correction["payload"] == {
        "event_id": first,
        "event_type": "note.added",
        "correct": {"text": "hello!"},
        "reason": "typo",
    }
    assert (correction["account_id"], correction["cause_id"]) == ("acme", first)
    assert send("POST", f"/v1/events/{first}/corrections", {"reason": "no"}).status_code == 422
    assert send("POST", f"/v1/events/{uuid4()}/corrections", {"retracted": True}).status_code == 404


def test_what_the_api_gives_as_cloudevents_it_also_takes(send: Send, admin: psycopg.Connection[Any]) -> None:
    send("POST", "/v1/events", NOTE | {"actor": "bo@example.com", "source": "crm"})
    append_all()
    (given,) = send("GET", "/v1/events", Accept="application/cloudevents-batch+json").json()
    copy = given | {"id": str(uuid4())}
    assert (
        send("POST", "/v1/events", [copy], Content_Type="application/cloudevents-batch+json").json()[
            "receipts"
        ][0]["status"]
        == "accepted"
    )
    append_all()
    first, second = log(admin)
    assert first == second
    replayed = send("POST", "/v1/events", given, Content_Type="application/cloudevents+json")
    assert (replayed.status_code, replayed.json()["status"]) == (200, "duplicate")


def test_a_foreign_cloudevent_is_stored_once(send: Send, admin: psycopg.Connection[Any]) -> None:
    told = {
        "specversion": "1.0",
        "id": "A-1",
        "source": "https://shop.example/orders",
        "type": "shop.ordered",
        "subject": "order/77",
        "data": {"n": 1},
    }
    for _ in range(2):
        assert send("POST", "/v1/events", told, Content_Type="application/cloudevents+json").json()[
            "status"
        ] in ("accepted", "duplicate")
        append_all()
    assert [row[2] for row in log(admin)] == ["https://shop.example/orders"]
    assert (
        send(
            "POST", "/v1/events", told | {"specversion": "0.3"}, Content_Type="application/cloudevents+json"
        ).status_code
        == 422
    )


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (NOTE | {"type": "note.addde"}, "#/type"),
        (NOTE | {"payload": {"text": 1}}, "#/payload/text"),
        (NOTE | {"account_id": None}, "#/account_id"),
        (NOTE | {"actor": "nobody"}, "#/actor"),
        (NOTE | {"occurred_at": "2026-03-01T10:00:00"}, "#/occurred_at"),
        (NOTE | {"event_id": "1"}, "#/event_id"),
        (NOTE | {"acount_id": "x"}, "#/"),
        (NOTE | {"payload": {"text": "a\0b"}}, "#/payload/text"),
    ],
)
def test_an_invalid_event_is_answered_with_the_place_of_its_fault(
    send: Send, body: dict[str, Any], pointer: str
) -> None:
    answer = send("POST", "/v1/events", body)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert answer.json()["errors"][0]["pointer"] == pointer
    assert send("GET", answer.json()["type"]).status_code == 200


def test_what_is_no_json_is_a_bad_request(send: Send) -> None:
    for body in (b"", b"{", b'{"type":"\xff"}', b"[" * 100_000):
        assert send("POST", "/v1/events", body).json()["type"] == "/problems/bad-request", body[:20]
    assert send("POST", "/v1/events", b"{}", Content_Type="text/plain").status_code == 415


def test_writes_are_limited_and_say_when_to_come_back(send: Send, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACTIVITY_WRITE_RATE", "2")
    settings.cache_clear()
    answers = [send("POST", "/v1/events", NOTE) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [201, 201, 429]
    assert answers[0].headers["ratelimit-policy"] == '"default";q=2;w=60'
    assert int(answers[2].headers["retry-after"]) > 0


def _naughty() -> list[str]:
    foreign = sorted((vectors.FOREIGN / "conformance" / "strings").glob("*.json"))
    sets = [vectors.own("strings.json"), *(json.loads(file.read_text()) for file in foreign)]
    return [one for strings in sets for one in _strings(strings)]


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _strings(item)


def test_every_naughty_string_comes_back_from_the_feed_as_it_was_written(send: Send) -> None:
    strings = [text for text in dict.fromkeys(_naughty()) if text and "\0" not in text]
    assert strings
    for start in range(0, len(strings), 500):
        items = [NOTE | {"payload": {"text": text}} for text in strings[start : start + 500]]
        statuses = {receipt["status"] for receipt in send("POST", "/v1/events", items).json()["receipts"]}
        assert statuses == {"accepted"}
    append_all()
    seen, cursor = [], ""
    while cursor is not None:
        page = send(
            "GET", f"/v1/events?limit=200&order=recorded{f'&cursor={cursor}' if cursor else ''}"
        ).json()
        seen += [event["payload"]["text"] for event in page["data"]]
        cursor = page["next_cursor"]
    assert seen[::-1] == strings


@pytest.mark.parametrize("type_", sorted(SYSTEM_TYPES))
def test_nobody_else_can_say_what_the_system_says_of_itself(
    send: Send, tenant: int, type_: str, admin: psycopg.Connection[Any]
) -> None:
    event = {"type": type_, "contact_id": "pat", "payload": CATALOGUE[type_].example}
    assert send("POST", "/v1/events", event).status_code == 422
    assert send("POST", "/v1/events", [event]).json()["receipts"][0]["status"] == "invalid"
    assert accept([[event | {"tenant_id": tenant, "source": "crm"}]], {}, "m") == "0 emitted, 1 refused; "
    assert admin.execute("select count(*) from activity.outbox").fetchone() == (0,)


@pytest.mark.parametrize("source", ["erasure", "sequence", "playbook", "enrichment", "webhook:ses"])
def test_nobody_else_can_use_the_name_of_a_producer_of_the_system(send: Send, source: str) -> None:
    answer = send("POST", "/v1/events", NOTE | {"source": source})
    assert answer.status_code == 422
    assert "producer of the system" in answer.text


def test_nobody_else_can_take_an_id_that_the_system_will_need(send: Send, tenant: int) -> None:
    taken = str(enrollments.event_id(tenant, "enrolled", 1))
    assert send("POST", "/v1/events", NOTE | {"event_id": taken}).status_code == 422
    cloud: dict[str, Any] = {"specversion": "1.0", "id": taken, "source": "crm", "subject": "account/acme"}
    cloud |= {"type": "acme.x", "data": {}}
    answer = send("POST", "/v1/events", cloud, Content_Type="application/cloudevents+json")
    assert "system's own" in answer.text
    item = NOTE | {"event_id": taken, "tenant_id": tenant, "source": "crm"}
    assert accept([[item]], {}, "m") == "0 emitted, 1 refused; "


def test_what_is_too_large_is_refused_before_anything_is_made_of_it(send: Send) -> None:
    many = b"[" + b"0," * MAX_EVENTS + b"0, and this is no JSON"
    long = b'{"type": "note.added", "x": [' + b"1.5," * MAX_ITEM + b"this is no JSON"
    for body in (many, long):
        assert send("POST", "/v1/events", body).status_code == 413
    padded = NOTE | {"payload": {"text": "x" * MAX_ITEM}}
    answers = send("POST", "/v1/events", [padded, NOTE]).json()["receipts"]
    assert [one["status"] for one in answers] == ["invalid", "accepted"]
    assert "bytes at most" in answers[0]["problem"]["detail"]
    correction = b'{"correct": {"x": [' + b"0," * MAX_DOCUMENT + b"0]}}"
    assert send("POST", f"/v1/events/{uuid4()}/corrections", correction).status_code == 413
    # As long as an event may be, and as a program may write it: in ASCII, and over many lines.
    cyrillic = {"type": "note.added", "account_id": "acme", "payload": {"text": "\u0436" * 32_000}}
    assert send("POST", "/v1/events", json.dumps(cyrillic, indent=8).encode()).status_code == 201
