"""What may enter the log.

`encode` turns an Event into the document that the outbox holds, or raises what is wrong with which field.
"""

import difflib
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from uuid import UUID

import msgspec

from activity import event_type
from activity.canonical import canonical
from activity.catalogue import CATALOGUE, NAMESPACES, SYSTEM_SOURCES, SYSTEM_TYPES, VERSIONS, nearest
from activity.errors import InvalidEvent
from activity.event import Event, RecordedEvent

MAX_NAME = 320  # characters of an actor, a source or an id: an e-mail address fits
MAX_TENANT = 2**31 - 1
EARLIEST, LATEST = datetime(1990, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_ACTOR = re.compile(r"system|[^\s@]+@[^\s@]+")
_SYSTEM_ID = 8  # the version of activity.event.system_id
_FIELD_PATH = re.compile(r"^(?P<fault>.*?)(?: - at `\$\.?(?P<path>.*)`)?$", re.DOTALL)


class Document(msgspec.Struct):
    """An event as the outbox holds it; with `seq` and `recorded_at` at its end, as it is published."""

    event_id: UUID
    tenant_id: int
    type: str
    version: int
    occurred_at: datetime
    actor: str
    source: str
    account_id: str | None
    contact_id: str | None
    record_type: str | None
    record_id: str | None
    cause_id: UUID | None
    payload: msgspec.Raw


_encode_document = msgspec.json.Encoder().encode


def encode(event: Event) -> str:
    """Return the document of an event. Raises InvalidEvent with the field and its fault."""
    if type(event.tenant_id) is not int or not 0 < event.tenant_id <= MAX_TENANT:
        raise InvalidEvent(
            "tenant_id", f"{event.tenant_id!r} is not a workspace", "give the integer id of a tenant"
        )
    payload = _payload(event)
    for name, value in (("actor", event.actor), ("source", event.source)):
        _check_name(name, value)
    check_actor(event.actor)
    _check_subject(event)
    return _encode_document(
        Document(
            _uuid("event_id", event.event_id),
            event.tenant_id,
            event.type,
            event.version,
            _moment(event.occurred_at),
            event.actor,
            event.source,
            event.account_id,
            event.contact_id,
            event.record_type,
            event.record_id,
            None if event.cause_id is None else _uuid("cause_id", event.cause_id),
            msgspec.Raw(payload),
        )
    ).decode()


def check_actor(actor: str) -> None:
    """Raise InvalidEvent unless this names a user, by e-mail address, or the system."""
    if not _ACTOR.fullmatch(actor):
        raise InvalidEvent(
            "actor", f"{actor!r} is not a valid actor", "give a user's e-mail address, or 'system'"
        )


def check_outsider(event: Event) -> None:
    """Raise InvalidEvent where an event from outside would pass for one of the system's own."""
    if event.type in SYSTEM_TYPES:
        raise InvalidEvent(
            "type",
            f"{event.type!r} is emitted by the system alone",
            "give a type of your own, such as 'crm.erased'",
        )
    if event.source in SYSTEM_SOURCES or event.source.startswith("webhook:"):
        raise InvalidEvent(
            "source",
            f"{event.source!r} is a producer of the system",
            "name the program that emits, such as 'crm'",
        )
    if event.event_id.version == _SYSTEM_ID:
        raise InvalidEvent(
            "event_id",
            f"{event.event_id} is a UUID of version {_SYSTEM_ID}, the system's own",
            "give a uuid7, or a uuid5 of an id of yours",
        )


def check_correction(event: RecordedEvent, correct: Mapping[str, object] | None) -> None:
    """Raise InvalidEvent unless these fields can be right of the event: by its type, with all its others.

    None is a retraction.
    """
    if event.type in SYSTEM_TYPES:
        raise InvalidEvent("event_id", f"{event.type} is the system's own evidence", "it stays as it is")
    if correct is None:
        return
    if event.type == "event.corrected":
        raise InvalidEvent(
            "correct", "a correction is not corrected", "retract it, and correct the event anew"
        )
    recorded = event.fields()
    if event.is_erased:
        raise InvalidEvent("correct", "the event's content was erased", "nothing is left to be corrected")
    known = VERSIONS.get((event.type, event.version))
    if known is None:
        return
    _check_fields(event.type, correct, (*known.payload.__struct_fields__, *recorded))
    try:
        msgspec.convert(recorded | dict(correct), known.payload)
    except msgspec.ValidationError as error:
        raise _invalid(error, "correct") from None


def _check_fields(type_: str, correct: Mapping[str, object], fields: Sequence[str]) -> None:
    for name in correct:
        if name not in fields:
            near = difflib.get_close_matches(name, fields, n=1) or fields
            raise InvalidEvent(
                f"correct.{name}", f"{type_} has no such field", f"did you mean {' or '.join(near)}?"
            )


def decode(fields: Mapping[str, object]) -> Event:
    """Return the Event in a mapping from outside (JSON, a Celery message). Raises InvalidEvent."""
    try:
        return msgspec.convert(fields, Event)
    except msgspec.ValidationError as error:
        raise _invalid(error, "") from None
    except UnicodeEncodeError:
        raise InvalidEvent(
            "event",
            "the name of a field holds a lone surrogate",
            "see the event catalogue for the names that exist",
        ) from None


def _payload(event: Event) -> bytes:
    known = CATALOGUE.get(event.type)
    if known is None:
        _check_own_type(event.type)
    elif event.version != known.version:
        raise InvalidEvent(
            "version", f"{event.type} has no version {event.version}", f"its version is {known.version}"
        )
    payload = event.payload
    if isinstance(payload, msgspec.Struct):
        payload = msgspec.to_builtins(payload)
    if type(payload) is not dict:
        raise InvalidEvent(
            "payload",
            f"{type(payload).__name__} is not a mapping",
            "give a mapping of names to values, {} if there is no detail",
        )
    text = canonical(payload)
    if known is not None:
        try:
            msgspec.convert(payload, known.payload)
        except msgspec.ValidationError as error:
            raise _invalid(error, "payload") from None
    return text


def _check_own_type(name: object) -> None:
    """Accept a workspace's own type under its own namespace; refuse a misspelt built-in one."""
    if not isinstance(name, str) or not event_type.NAME.fullmatch(name):
        raise InvalidEvent(
            "type",
            f"{name!r} is not a valid event type",
            "write lower-case words joined by dots, such as 'acme.form_filled', 80 characters at most",
        )
    near = nearest(name)
    if near is not None:
        raise InvalidEvent("type", f"unknown type {name!r}", f"did you mean {near!r}?")
    if "." not in name or name.split(".", 1)[0] in NAMESPACES:
        raise InvalidEvent(
            "type",
            f"unknown type {name!r}",
            "a type of your own goes under a namespace of your own, such as 'acme.form_filled'",
        )


def _check_name(field: str, value: object) -> None:
    if not isinstance(value, str) or not 0 < len(value) <= MAX_NAME:
        raise InvalidEvent(
            field, f"{value!r:.80} is not a valid name", f"give a text of 1 to {MAX_NAME} characters"
        )
    if _CONTROL.search(value):
        raise InvalidEvent(
            field, f"{value!r:.80} holds a control character or a lone surrogate", "give plain text"
        )


def _check_subject(event: Event) -> None:
    if event.account_id is None and event.contact_id is None and event.record_id is None:
        raise InvalidEvent(
            "account_id",
            "the event is about nothing",
            "name an account_id, a contact_id, or a record_type with its record_id",
        )
    for field in ("account_id", "contact_id", "record_type", "record_id"):
        value = getattr(event, field)
        if value is not None:
            _check_name(field, value)
    if (event.record_type is None) != (event.record_id is None):
        raise InvalidEvent(
            "record_id", "a record has a type and an id", "give record_type and record_id together"
        )


def _moment(value: object) -> datetime:
    if not isinstance(value, datetime):
        raise InvalidEvent(
            "occurred_at",
            f"{value!r:.80} is not a valid time",
            "give a datetime with a zone, or RFC 3339 text",
        )
    if value.tzinfo is None:
        raise InvalidEvent(
            "occurred_at",
            f"{value.isoformat()} has no zone",
            "add one, such as Z or +02:00; a zone is never guessed",
        )
    if not EARLIEST <= value < LATEST:
        raise InvalidEvent(
            "occurred_at", f"{value.isoformat()} is out of range", "from 1990-01-01 to before 2200-01-01"
        )
    return value.astimezone(UTC)


def _uuid(field: str, value: object) -> UUID:
    if not isinstance(value, UUID):
        raise InvalidEvent(
            field,
            f"{value!r:.80} is not a UUID",
            "give a UUID: uuid7 made when it happened, or uuid5 of a provider's id",
        )
    return value


def _invalid(error: msgspec.ValidationError, prefix: str) -> InvalidEvent:
    """Turn msgspec's message, which ends in the path of the field, into ours."""
    match = _FIELD_PATH.match(str(error))
    assert match is not None
    path = ".".join(part for part in (prefix, match["path"]) if part) or "event"
    return InvalidEvent(path, match["fault"], "see the event catalogue for what the type holds")
