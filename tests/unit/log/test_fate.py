"""What became of an event: corrections, retractions, verdicts, and retractions of these, by one rule."""

import json
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from activity.catalogue import CATALOGUE, SYSTEM_TYPES, summarise
from activity.errors import InvalidEvent
from activity.event import RecordedEvent
from activity.fate import Fate, fates, right_payload
from activity.validation import check_correction

START = datetime(2026, 3, 1, tzinfo=UTC)


def recorded(seq: int, type_: str, payload: Any, cause: UUID | None = None) -> RecordedEvent:
    return RecordedEvent(
        tenant_id=1,
        seq=seq,
        event_id=UUID(int=seq),
        type=type_,
        version=CATALOGUE[type_].version if type_ in CATALOGUE else 1,
        occurred_at=START,
        recorded_at=START + timedelta(seconds=seq),
        actor=f"user{seq}@example.com",
        source="manual",
        account_id="acme",
        cause_id=cause,
        payload=msgspec.Raw(json.dumps(payload).encode()),
    )


NOTE = recorded(1, "note.added", {"text": "she signs for 900.000"})
OPENED = recorded(1, "email.opened", {"subject": "Terms", "machine": False})


def about(seq: int, event: RecordedEvent, **fields: Any) -> RecordedEvent:
    return recorded(seq, "event.corrected", {"event_id": str(event.event_id)} | fields, event.event_id)


def fate(event: RecordedEvent, *later: RecordedEvent) -> Fate:
    return fates([event], later).get(event.event_id, Fate())


def text_of(event: RecordedEvent, *later: RecordedEvent) -> str:
    return summarise(event.type, event.version, right_payload(event, fate(event, *later)))


def test_a_correction_says_what_is_right_by_whom_when_and_why() -> None:
    correction = about(2, NOTE, correct={"text": "she signs for 90.000"}, reason="typo")
    found = fate(NOTE, correction)
    assert found.retracted is None
    assert found.corrected is not None
    assert found.corrected.event_id == correction.event_id
    assert (found.corrected.actor, found.corrected.reason) == ("user2@example.com", "typo")
    assert "90.000" in text_of(NOTE, correction)
    assert "900.000" not in text_of(NOTE, correction)


def test_of_two_corrections_the_later_counts_field_by_field() -> None:
    deal = recorded(1, "deal.won", {"name": "Halden", "amount": "90000.00", "currency": "EUR"})
    later = [about(2, deal, correct={"amount": "9.00"}), about(3, deal, correct={"name": "Halden 2"})]
    later.append(about(4, deal, correct={"amount": "9000.00"}))
    right = msgspec.json.decode(right_payload(deal, fate(deal, *reversed(later))))
    assert right == {"name": "Halden 2", "amount": "9000.00", "currency": "EUR"}


def test_a_verdict_decides_whether_an_open_was_a_machines() -> None:
    payload = {"event_id": str(OPENED.event_id), "machine": True, "rule": "prefetch"}
    found = fate(OPENED, recorded(2, "event.classified", payload, OPENED.event_id))
    assert found.classified is not None
    assert (found.classified.machine, found.classified.reason) == (True, "prefetch")
    assert "by a machine" in text_of(OPENED, recorded(2, "event.classified", payload, OPENED.event_id))


WITHOUT_EFFECT = {
    "a field of another kind": {"correct": {"text": 12345}},
    "a field that the type has not": {"correct": {"txet": "zzz"}},
    "a required field taken away": {"correct": {"text": None}},
    "nothing at all": {},
    "nothing that is right": {"correct": {}},
}


@pytest.mark.parametrize("fields", WITHOUT_EFFECT.values(), ids=WITHOUT_EFFECT)
def test_what_cannot_be_right_changes_nothing(fields: dict[str, Any]) -> None:
    assert fate(NOTE, about(2, NOTE, **fields)) == Fate()


@pytest.mark.parametrize("type_", sorted(SYSTEM_TYPES))
def test_nobody_corrects_or_retracts_what_the_system_tells_of_itself(type_: str) -> None:
    own = recorded(1, type_, CATALOGUE[type_].example)
    assert fate(own, about(2, own, retracted=True)) == Fate()
    assert fate(own, about(2, own, correct=CATALOGUE[type_].example)) == Fate()


def test_an_earlier_event_an_erased_correction_and_one_without_a_cause_change_nothing() -> None:
    late = recorded(9, "note.added", {"text": "later"})
    erased = msgspec.structs.replace(about(10, late, retracted=True), payload=msgspec.Raw(b"null"))
    unnamed = msgspec.structs.replace(about(11, late, retracted=True), cause_id=None)
    assert fate(late, about(2, late, retracted=True), erased, unnamed) == Fate()


def test_an_erased_event_shows_that_it_was_retracted_but_no_right_values() -> None:
    erased = msgspec.structs.replace(NOTE, payload=msgspec.Raw(b"null"))
    found = fate(erased, about(2, NOTE, correct={"text": "secret"}), about(3, NOTE, retracted=True))
    assert found.retracted is not None
    assert found.corrected is None
    assert found.right is None


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), max_size=12), st.randoms(use_true_random=False))
def test_a_change_counts_until_it_is_retracted_itself_in_whatever_order_they_are_read(
    steps: list[tuple[int, bool]], order: Random
) -> None:
    """Each step corrects or retracts the note, or retracts an earlier step; the model undoes backwards."""
    log = [NOTE]
    for place, (target, retracts) in enumerate(steps):
        wrong = log[target % len(log)]
        fields = {"retracted": True} if retracts or wrong is not NOTE else {"correct": {"text": f"v{place}"}}
        log.append(about(place + 2, wrong, **fields))
    standing: dict[UUID, bool] = {}
    for one in reversed(log[1:]):
        undone = any(standing[other.event_id] for other in log if other.cause_id == one.event_id)
        standing[one.event_id] = not undone
    direct = [one for one in log[1:] if one.cause_id == NOTE.event_id and standing[one.event_id]]
    retractions = [one for one in direct if msgspec.json.decode(one.payload).get("retracted")]
    texts = [msgspec.json.decode(one.payload)["correct"]["text"] for one in direct if one not in retractions]
    later = log[1:]
    order.shuffle(later)
    found = fate(NOTE, *later)
    assert (found.retracted is not None) is bool(retractions)
    assert msgspec.json.decode(right_payload(NOTE, found)) == (
        {"text": texts[-1]} if texts else msgspec.json.decode(NOTE.payload)
    )


@pytest.mark.parametrize("name", sorted(CATALOGUE.keys() - SYSTEM_TYPES - {"event.corrected"}))
def test_every_type_takes_its_own_fields_and_no_misspelt_one(name: str) -> None:
    event = recorded(1, name, CATALOGUE[name].example)
    check_correction(event, CATALOGUE[name].example)
    field = next(iter(CATALOGUE[name].example))
    with pytest.raises(InvalidEvent, match=f"did you mean {field}"):
        check_correction(event, {f"{field}x": "?"})
    with pytest.raises(InvalidEvent):
        check_correction(msgspec.structs.replace(event, payload=msgspec.Raw(b"null")), {field: "x"})
    with pytest.raises(InvalidEvent):
        check_correction(about(2, event, retracted=True), {"retracted": False})


def test_a_workspaces_own_type_may_be_corrected_in_any_field() -> None:
    own = recorded(1, "acme.form_filled", {"size": 3})
    assert msgspec.json.decode(right_payload(own, fate(own, about(2, own, correct={"extra": 1})))) == {
        "size": 3,
        "extra": 1,
    }
