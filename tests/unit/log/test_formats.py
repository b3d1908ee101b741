"""Ids, times and addresses are accepted as their standards say, but for the cases named here."""

from collections.abc import Iterator
from typing import Any

import pytest

from activity.errors import InvalidEvent
from activity.validation import check_actor, decode
from tests import vectors

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


OWN: dict[str, list[tuple[str, bool]]] = {
    "uuid": [
        ("7f2c1d6e-3b40-4c57-9a13-d0b5e0f4a911", True),
        ("7F2C1D6E-3B40-4C57-9A13-D0B5E0F4A911", True),
        ("7f2c1d6e-3b40-4c57-9a13-d0b5e0f4a91", False),
        ("7f2c1d6e-3b40-4c57-9a13-d0b5e0f4a91g", False),
        ("7f2c-1d6e3b40-4c57-9a13-d0b5e0f4a911", False),
        ("", False),
    ],
    "date-time": [
        ("2026-02-28T23:59:59Z", True),
        ("2026-02-28t23:59:59.123456+05:30", True),
        ("2028-02-29T00:00:00-11:59", True),
        ("2026-02-29T00:00:00Z", False),
        ("2026-13-01T00:00:00Z", False),
        ("2026-02-28T24:00:00Z", False),
        ("2026-02-28T10:00:00+24:00", False),
        ("2026-02-28T10:00:00", False),
        ("2026-02-28", False),
        ("yesterday", False),
    ],
    "email": [
        ("jo@acme.example", True),
        ("jo.park+crm@mail.acme.example", True),
        ("o'neil@acme.example", True),
    ],
}


def _cases(name: str) -> Iterator[tuple[str, bool]]:
    """Yield our own vectors and those of JSON Schema's test suite, where it is at hand."""
    yield from OWN[name]
    for group in vectors.foreign(f"conformance/json-schema-formats/{name}.json", []):
        yield from ((case["data"], case["valid"]) for case in group["tests"] if isinstance(case["data"], str))


def _holds(field: str, value: str) -> bool:
    try:
        event = decode(EVENT | {field: value})
    except InvalidEvent:
        return False
    return event.occurred_at.tzinfo is not None


@pytest.mark.parametrize(("text", "valid"), list(_cases("uuid")))
def test_an_id_is_a_uuid_as_the_standard_says(text: str, valid: bool) -> None:
    assert _holds("event_id", text) is (valid ^ (text in OTHERWISE))


@pytest.mark.parametrize(("text", "valid"), list(_cases("date-time")))
def test_a_time_is_written_as_the_standard_says(text: str, valid: bool) -> None:
    assert _holds("occurred_at", text) is (valid ^ (text in OTHERWISE))


@pytest.mark.parametrize("text", [text for text, valid in _cases("email") if valid and '"' not in text])
def test_every_plain_address_can_be_an_actor(text: str) -> None:
    check_actor(text)
