"""Whoever reads an event reads what became of it: in every list, page, view and form of it."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import httpx
import pytest

from activity.event import Event
from db.engine import begin
from tests.recording import append_all
from worker.emit import emit

Send = Callable[..., httpx.Response]

NOTE = {"type": "note.added", "account_id": "acme", "payload": {"text": "she signs for 900.000"}}


def written(send: Send, path: str, body: Any) -> str:
    answer = send("POST", path, body)
    assert answer.status_code == 201, answer.text
    append_all()
    return str(answer.json()["event_id"])


def note(send: Send) -> str:
    return written(send, "/v1/events", NOTE)


def correct(send: Send, event_id: str, **fields: Any) -> str:
    return written(send, f"/v1/events/{event_id}/corrections", fields)


def ways(event_id: str) -> dict[str, str]:
    """Every path over which an event is read."""
    return {
        "newest": "/v1/events",
        "account": "/v1/events?account=acme",
        "type": "/v1/events?type=note.added&type=event.corrected",
        "recorded": "/v1/events?order=recorded",
        "around": f"/v1/events?around={event_id}",
        "alone": f"/v1/events/{event_id}",
        "german": "/v1/events?locale=de",
    }


def seen(send: Send, event_id: str) -> list[dict[str, Any]]:
    """The event by every way, the position's too."""
    found = []
    for path in ways(event_id).values():
        answer = send("GET", path).json()
        events = answer["data"] if "data" in answer else [answer["event"]]
        found += [event for event in events if event["event_id"] == event_id]
    epoch = send("GET", "/v1/events").json()["stream"]["position"].partition("-")[0]
    after = send("GET", f"/v1/events?after={epoch}-{0:016d}").json()["data"]
    found += [event for event in after if event["event_id"] == event_id]
    assert len(found) == len(ways(event_id)) + 1
    return found


def test_every_way_shows_the_right_text_the_old_one_by_whom_and_why(send: Send) -> None:
    first = note(send)
    correction = correct(send, first, correct={"text": "she signs for 90.000"}, reason="typo")
    for event in seen(send, first):
        assert "90.000" in event["summary"]
        assert "".join(text for part in event["summary_parts"] for text in part.values()) == event["summary"]
        assert event["payload"] == NOTE["payload"]
        corrected = event["corrected"]
        assert corrected["event_id"] == correction
        assert corrected["actor"] == "ana@example.com"
        assert corrected["reason"] == "typo"
        assert corrected["correct"] == {"text": "she signs for 90.000"}
        assert "900.000" in corrected["was"]
        assert (event["retracted"], event["classified"], event["erased"]) == (None, None, False)


def test_every_way_shows_a_retraction_and_its_undoing(send: Send) -> None:
    first = note(send)
    retraction = correct(send, first, retracted=True, reason="another Halden")
    for event in seen(send, first):
        assert event["retracted"]["event_id"] == retraction
        assert event["retracted"]["reason"] == "another Halden"
    undoing = correct(send, retraction, retracted=True)
    assert all(event["retracted"] is None for event in seen(send, first))
    assert all(event["retracted"]["event_id"] == undoing for event in seen(send, retraction))
    detail = send("GET", f"/v1/events/{first}").json()
    assert [event["event_id"] for event in detail["corrections"]] == [retraction, undoing]
    assert detail["effects"] == []


def test_as_of_shows_what_had_become_of_it_by_then(send: Send) -> None:
    first = note(send)
    correct(send, first, retracted=True)
    then, now = (send("GET", f"/v1/events?as_of={seq}").json()["data"][-1] for seq in (1, 2))
    assert (then["event_id"], then["retracted"]) == (first, None)
    assert now["retracted"] is not None


def test_a_kept_page_and_its_tag_do_not_outlive_a_correction(send: Send) -> None:
    first = note(send)
    before = send("GET", "/v1/events?account=acme")
    correct(send, first, retracted=True)
    after = send("GET", "/v1/events?account=acme", If_None_Match=before.headers["etag"])
    assert after.status_code == 200
    assert after.json()["data"][-1]["retracted"] is not None


def test_a_cloudevent_names_what_corrected_and_retracted_it(send: Send) -> None:
    first = note(send)
    correction = correct(send, first, correct={"text": "right"})
    retraction = correct(send, first, retracted=True)
    one = send("GET", f"/v1/events/{first}", Accept="application/cloudevents+json").json()
    many = send("GET", "/v1/events?type=note.added", Accept="application/cloudevents-batch+json").json()
    assert many == [one]
    assert (one["correctedby"], one["retractedby"]) == (correction, retraction)


def test_an_open_judged_anew_reads_by_the_newest_verdict(send: Send, tenant: int) -> None:
    first = written(
        send, "/v1/events", NOTE | {"type": "email.opened", "payload": {"subject": "Terms", "machine": False}}
    )
    verdict = Event(
        tenant_id=tenant,
        type="event.classified",
        source="classify",
        account_id="acme",
        cause_id=UUID(first),
        payload={"event_id": first, "machine": True, "rule": "prefetch"},
    )
    with begin("producer") as session:
        emit(session, [verdict])
    append_all()
    event = send("GET", "/v1/events").json()["data"][-1]
    assert event["classified"] == {
        "event_id": str(verdict.event_id),
        "actor": "system",
        "recorded_at": event["classified"]["recorded_at"],
        "reason": "prefetch",
        "machine": True,
    }
    assert "by a machine" in event["summary"]


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "another kind of value": ({"correct": {"text": 12345}}, "#/correct/text"),
    "no such field": ({"correct": {"txet": "zzz"}}, "#/correct/txet"),
    "a required field taken away": ({"correct": {"text": None}}, "#/correct/text"),
    "neither": ({"reason": "no"}, "#/correct"),
}


@pytest.mark.parametrize(("body", "pointer"), REFUSED.values(), ids=REFUSED)
def test_a_correction_that_cannot_be_right_is_refused_with_its_field(
    send: Send, body: dict[str, Any], pointer: str
) -> None:
    answer = send("POST", f"/v1/events/{note(send)}/corrections", body)
    assert answer.status_code == 422
    assert [fault["pointer"] for fault in answer.json()["errors"]] == [pointer]


def test_a_correction_is_not_posted_past_its_check(send: Send) -> None:
    first = note(send)
    posted = NOTE | {"type": "event.corrected", "payload": {"event_id": first, "correct": {"text": 1}}}
    assert send("POST", "/v1/events", posted | {"cause_id": first}).status_code == 422
    assert send("POST", "/v1/events", [posted]).json()["receipts"][0]["status"] == "invalid"
    correction = correct(send, first, correct={"text": "right"})
    again = send("POST", f"/v1/events/{correction}/corrections", {"correct": {"reason": "x"}})
    assert again.status_code == 422
