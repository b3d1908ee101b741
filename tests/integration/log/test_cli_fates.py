"""Whoever reads an event in a terminal reads what became of it, as on the page."""

import json
from typing import Any
from uuid import UUID, uuid4

import pytest

from activity.event import Event
from db.engine import begin
from db.records.erasure import erase
from tests.command import activity
from tests.recording import record

Seen = dict[str, Any]


@pytest.fixture
def notes(tenant: int) -> dict[str, UUID]:
    """One note as it was recorded, one corrected, one withdrawn, one erased, one withdrawn and put back."""
    made = {
        name: Event(
            tenant_id=tenant,
            type="note.added",
            source="manual",
            actor="ana@example.com",
            account_id="acme",
            contact_id=name,
            payload={"text": f"{name} for 900.000"},
        )
        for name in ("plain", "corrected", "withdrawn", "erased", "restored")
    }
    undone = change(tenant, made["restored"], retracted=True)
    record(*made.values())
    record(change(tenant, made["corrected"], correct={"text": "corrected for 90.000"}, reason="typo"))
    record(change(tenant, made["withdrawn"], retracted=True), undone)
    record(change(tenant, undone, retracted=True))
    with begin("eraser") as session:
        erase(session, tenant, "erased", uuid4(), "dpo@example.com", None, None)
    return {name: event.event_id for name, event in made.items()}


def change(tenant: int, of: Event, **payload: Any) -> Event:
    return Event(
        tenant_id=tenant,
        type="event.corrected",
        source="manual",
        actor="li@example.com",
        account_id="acme",
        cause_id=of.event_id,
        payload={"event_id": str(of.event_id), "event_type": of.type, **payload},
    )


WAYS = (("feed", "--limit", 50), ("tail", "--last", 50), ("tail", "--after", 0))


@pytest.mark.parametrize("way", WAYS)
def test_every_list_tells_what_became_of_each_event(
    tenant: int, notes: dict[str, UUID], way: tuple[object, ...]
) -> None:
    lines = activity(*way, "--type", "note.added", "--tenant", tenant).splitlines()
    told = {name: next((x for x in lines if f"{name} for" in x), "") for name in notes}
    assert told["plain"].endswith("[acme]")
    assert told["restored"].endswith("[acme]"), "what was put back reads as before"
    assert "corrected for 90.000" in told["corrected"].partition("[acme]")[0], "what is right comes first"
    assert "(corrected by li@example.com, was: " in told["corrected"]
    assert "900.000" in told["corrected"].partition("was: ")[2]
    assert told["withdrawn"].endswith("(withdrawn by li@example.com)")
    assert [line.endswith("(erased)") for line in lines].count(True) == 1


@pytest.mark.parametrize("way", [*WAYS, ("show",)])
def test_a_script_gets_the_record_as_it_was_and_what_became_of_it_in_the_apis_words(
    tenant: int, notes: dict[str, UUID], way: tuple[object, ...]
) -> None:
    by_id = {UUID(event["event_id"]): event for event in listed(tenant, notes, way)}
    seen = {name: by_id[event_id] for name, event_id in notes.items()}
    assert {name: event["payload"] for name, event in seen.items()} == {
        name: None if name == "erased" else {"text": f"{name} for 900.000"} for name in notes
    }
    assert seen["corrected"]["correct"] == {"text": "corrected for 90.000"}
    assert (seen["corrected"]["corrected"]["actor"], seen["corrected"]["corrected"]["reason"]) == (
        "li@example.com",
        "typo",
    )
    assert seen["withdrawn"]["retracted"]["actor"] == "li@example.com"
    assert {name for name, event in seen.items() if event["retracted"]} == {"withdrawn"}
    assert {name for name, event in seen.items() if event["erased"]} == {"erased"}


def listed(tenant: int, notes: dict[str, UUID], way: tuple[object, ...]) -> list[Seen]:
    if way == ("show",):
        return [json.loads(activity("show", one, "--json", "--tenant", tenant)) for one in notes.values()]
    found = activity(*way, "--type", "note.added", "--json", "--tenant", tenant)
    if way[0] == "feed":
        return list(json.loads(found)["events"])
    return [json.loads(line) for line in found.splitlines()]


def test_the_feed_as_of_a_number_shows_what_was_known_then(tenant: int, notes: dict[str, UUID]) -> None:
    then = activity("feed", "--as-of", 5, "--type", "note.added", "--tenant", tenant)
    assert "corrected for 900.000" in then
    assert "withdrawn by" not in then
