"""What may enter the log, and what is said of what may not."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from activity.catalogue import CATALOGUE
from activity.errors import InvalidEvent
from activity.event import Event
from activity.validation import decode, encode

GOOD: dict[str, Any] = {
    "tenant_id": 1,
    "type": "note.added",
    "source": "manual",
    "actor": "ana@example.com",
    "account_id": "acme",
    "payload": {"text": "hello"},
}


@pytest.mark.parametrize("name", sorted(CATALOGUE))
def test_the_example_of_every_type_is_valid_as_mapping_and_as_struct(name: str) -> None:
    kind = CATALOGUE[name]
    mapping = Event(**GOOD | {"type": name, "version": kind.version, "payload": kind.example})
    struct = msgspec.structs.replace(mapping, payload=msgspec.convert(kind.example, kind.payload))
    assert json.loads(encode(mapping))["payload"] == kind.example
    assert json.loads(encode(struct))["type"] == name


def test_a_document_begins_with_the_event_id_and_ends_with_the_payload() -> None:
    event = Event(**GOOD)
    document = encode(event)
    assert document.startswith(f'{{"event_id":"{event.event_id}","tenant_id":1,')
    assert document.endswith(',"payload":{"text":"hello"}}')


def test_moments_are_written_in_utc() -> None:
    event = Event(**GOOD, occurred_at=datetime(2026, 3, 1, 12, 0, tzinfo=timezone(timedelta(hours=2))))
    assert '"occurred_at":"2026-03-01T10:00:00Z"' in encode(event)


@pytest.mark.parametrize(
    ("change", "field", "says"),
    [
        ({"type": "email.snet"}, "type", "did you mean 'email.sent'"),
        ({"type": "enrichment_complete"}, "type", "did you mean 'enrichment_completed'"),
        ({"type": "email.xyzzy"}, "type", "unknown type"),
        ({"type": "vanished"}, "type", "namespace of your own"),
        ({"type": "Note Added"}, "type", "lower-case words"),
        ({"type": 7}, "type", "lower-case words"),
        ({"version": 2}, "version", "its version is 1"),
        ({"account_id": None}, "account_id", "name an account_id"),
        ({"account_id": ""}, "account_id", "1 to 320"),
        ({"account_id": "a\nb"}, "account_id", "control character"),
        ({"account_id": "a\ud800"}, "account_id", "surrogate"),
        ({"record_type": "thread"}, "record_id", "together"),
        ({"actor": "somebody"}, "actor", "e-mail"),
        ({"actor": "a" * 321}, "actor", "320"),
        ({"source": ""}, "source", "320"),
        ({"tenant_id": 0}, "tenant_id", "integer id"),
        ({"tenant_id": True}, "tenant_id", "integer id"),
        ({"tenant_id": 2**31}, "tenant_id", "integer id"),
        ({"event_id": "x"}, "event_id", "UUID"),
        ({"cause_id": "x"}, "cause_id", "UUID"),
        ({"occurred_at": datetime(2026, 1, 1)}, "occurred_at", "never guessed"),  # noqa: DTZ001  # the fault under test
        ({"occurred_at": datetime(1989, 12, 31, tzinfo=UTC)}, "occurred_at", "1990"),
        ({"occurred_at": datetime(2200, 1, 1, tzinfo=UTC)}, "occurred_at", "1990"),
        ({"occurred_at": "yesterday"}, "occurred_at", "datetime"),
        ({"payload": None}, "payload", "mapping"),
        ({"payload": []}, "payload", "mapping"),
        ({"payload": {}}, "payload", "text"),
        ({"payload": {"text": 7}}, "payload.text", "catalogue"),
        ({"payload": {"text": "x\0"}}, "payload.text", "NUL"),
    ],
)
def test_a_fault_is_named_with_its_field_and_what_would_be_right(
    change: dict[str, Any], field: str, says: str
) -> None:
    with pytest.raises(InvalidEvent) as refused:
        encode(Event(**GOOD | change))
    assert refused.value.field == field
    assert says in str(refused.value)


def test_a_workspace_may_have_types_of_its_own() -> None:
    assert '"type":"acme.form_filled"' in encode(
        Event(**GOOD | {"type": "acme.form_filled", "payload": {"any": ["thing"]}})
    )


def test_what_a_type_does_not_know_is_kept() -> None:
    assert '"payload":{"colour":"red","text":"hi"}' in encode(
        Event(**GOOD | {"payload": {"text": "hi", "colour": "red"}})
    )


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"acount_id": "x"}, "event"),
        ({"tenant_id": "1"}, "tenant_id"),
        ({"occurred_at": "2026-13-01T00:00:00Z"}, "occurred_at"),
        ({"event_id": "1"}, "event_id"),
    ],
)
def test_a_mapping_from_outside_is_refused_with_its_field(change: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidEvent) as refused:
        decode(GOOD | change)
    assert refused.value.field == field


def test_a_mapping_from_outside_becomes_the_event_it_says() -> None:
    event_id = uuid4()
    event = decode(GOOD | {"event_id": str(event_id), "occurred_at": "2026-03-01T10:00:00+02:00"})
    assert event.event_id == event_id
    assert event.occurred_at == datetime(2026, 3, 1, 8, tzinfo=UTC)


@pytest.mark.parametrize("said", [None, 7, "x", [], {}])
def test_what_is_no_event_at_all_is_refused(said: Any) -> None:
    with pytest.raises(InvalidEvent):
        decode(said)
