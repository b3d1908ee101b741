"""Ids, times and addresses are accepted as their standards say, but for the cases named here."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from activity.errors import InvalidEvent
from activity.validation import check_actor, decode

SHARED = (
    Path(os.environ.get("ACTIVITY_SHARED_DATA", Path(__file__).parents[4] / "shared" / "data"))
    / "conformance"
    / "json-schema-formats"
)
EVENT: dict[str, Any] = {
    "tenant_id": 1,
    "type": "note.added",
    "source": "x",
    "account_id": "a",
    "payload": {"text": "x"},
}
OTHERWISE = {
    "2eb8aa08aa9811eab4aa73b441d16380": "an id without dashes is read; it is kept with them",
    "1998-12-31T23:59:60Z": "a leap second is a moment that neither Python nor PostgreSQL has",
    "1998-12-31T15:59:60.123-08:00": "as above",
}


def _cases(name: str) -> Iterator[Any]:
    path = SHARED / f"{name}.json"
    for group in json.loads(path.read_text()) if path.exists() else []:
        for case in group["tests"]:
            if isinstance(case["data"], str):
                yield pytest.param(case["data"], case["valid"], id=case["description"])


def _holds(field: str, value: str) -> bool:
    try:
        event = decode(EVENT | {field: value})
    except InvalidEvent:
        return False
    return event.occurred_at.tzinfo is not None


@pytest.mark.skipif(not SHARED.exists(), reason="the shared conformance data is not here")
@pytest.mark.parametrize(("text", "valid"), list(_cases("uuid")))
def test_an_id_is_a_uuid_as_the_standard_says(text: str, valid: bool) -> None:
    assert _holds("event_id", text) is (valid ^ (text in OTHERWISE))


@pytest.mark.skipif(not SHARED.exists(), reason="the shared conformance data is not here")
@pytest.mark.parametrize(("text", "valid"), list(_cases("date-time")))
def test_a_time_is_written_as_the_standard_says(text: str, valid: bool) -> None:
    assert _holds("occurred_at", text) is (valid ^ (text in OTHERWISE))


@pytest.mark.skipif(not SHARED.exists(), reason="the shared conformance data is not here")
@pytest.mark.parametrize(
    "text", [case.values[0] for case in _cases("email") if case.values[1] and '"' not in case.values[0]]
)
def test_every_plain_address_can_be_an_actor(text: str) -> None:
    check_actor(text)
