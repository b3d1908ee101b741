"""The names that an expression may use: of which CEL type each is, and how its value is got.

Names are whole paths (`event.actor`, `account.owner_email`). A text that a record or event does not have is
"", and what is not there otherwise has no value.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from functools import cache
from operator import attrgetter
from typing import Any

import msgspec
from cel_expr_python import cel  # type: ignore[import-untyped]  # it has stubs and no py.typed

from activity.catalogue import CATALOGUE
from db.records.values import COLUMNS
from producers.playbooks.definition.document import names_of

_EVENT = [
    "type",
    "event_id",
    "actor",
    "source",
    "account_id",
    "contact_id",
    "record_type",
    "record_id",
    "occurred_at",
    "recorded_at",
    "seq",
]
RECORDS = tuple(COLUMNS)
_ABSENT = {"STRING": "", "BOOL": False}

Facts = Mapping[str, Any]  # what an expression may see: {"event": RecordedEvent, "account": {...}, ...}
Fetch = Callable[[Facts], Any]


def declared(types: Iterable[str]) -> dict[str, tuple[object, Fetch]]:
    """Return every name an expression may use, with its CEL type and how to get it."""
    kind = cel.Type
    mapping = kind.Map(kind.STRING, kind.DYN)
    known: dict[str, tuple[object, Fetch]] = {
        "now": (kind.TIMESTAMP, lambda facts: facts.get("now") or datetime.now(UTC))
    }
    for of in ("event", "trigger"):
        for name in _EVENT:
            known[f"{of}.{name}"] = (_CEL_TYPES.get(name, kind.STRING), _from_event(of, name))
        known[f"{of}.payload"] = (mapping, payload(of))
    for name, type_ in _payload_types(types).items():
        known[f"event.payload.{name}"] = (type_, _frompayload("event", name, type_))
    for of, columns in COLUMNS.items():
        for name in columns:
            known[f"{of}.{name}"] = (kind.STRING, _from_record(of, name, ""))
        for name in ("created_at", "updated_at"):
            known[f"{of}.{name}"] = (kind.TIMESTAMP, _from_record(of, name))
        known[f"{of}.fields"] = (mapping, _from_record(of, "fields", {}))
    known["opportunity.amount"] = (kind.DOUBLE, _from_record("opportunity", "amount"))
    return known


_CEL_TYPES = {"occurred_at": cel.Type.TIMESTAMP, "recorded_at": cel.Type.TIMESTAMP, "seq": cel.Type.INT}


def _from_event(of: str, name: str) -> Fetch:
    absent = None if name in _CEL_TYPES else ""
    get = attrgetter(name)

    def fetch(facts: Facts) -> object:
        event = facts.get(of)
        value = None if event is None else get(event)
        if value is None:
            return absent
        return str(value) if name == "event_id" else value

    return fetch


def payload(of: str) -> Fetch:
    """Return what gets the payload of `event` or `trigger`, decoded once for all expressions."""

    def fetch(facts: Facts) -> object:
        key = f"{of}.payload"
        if key not in facts:
            facts[key] = facts[of].fields() if facts.get(of) else {}  # type: ignore[index]  # the caller gives a dict
        return facts[key]

    return fetch


def _frompayload(of: str, name: str, type_: Any) -> Fetch:
    whole, absent = payload(of), _ABSENT.get(type_.name())

    def fetch(facts: Facts) -> Any:
        value = whole(facts).get(name)
        return absent if value is None else value

    return fetch


def _from_record(of: str, name: str, absent: object = None) -> Fetch:
    def fetch(facts: Facts) -> object:
        value = (facts.get(of) or {}).get(name)
        return absent if value is None else value

    return fetch


@cache
def fields_of(type_name: str) -> dict[str, object]:
    """Return the payload fields of a built-in type that have one CEL type; the others are dynamic."""
    info = msgspec.inspect.type_info(CATALOGUE[type_name].payload)
    assert isinstance(info, msgspec.inspect.StructType)
    plain: dict[object, object] = {
        msgspec.inspect.StrType: cel.Type.STRING,
        msgspec.inspect.BoolType: cel.Type.BOOL,
        msgspec.inspect.IntType: cel.Type.INT,
    }
    found = {}
    for field in info.fields:
        kinds = {type(_bare(part)) for part in _parts(field.type)} - {msgspec.inspect.NoneType}
        found[field.encode_name] = plain.get(kinds.pop(), cel.Type.DYN) if len(kinds) == 1 else cel.Type.DYN
    return found


def _bare(kind: object) -> object:
    return kind.type if isinstance(kind, msgspec.inspect.Metadata) else kind


def _parts(kind: object) -> Iterable[object]:
    kind = _bare(kind)
    return kind.types if isinstance(kind, msgspec.inspect.UnionType) else (kind,)


def built_in(names: Iterable[str]) -> list[str]:
    """Return the built-in types that event names and patterns mean."""
    wanted = set(names)
    return [type for type in CATALOGUE if wanted & set(names_of(type))]


def _payload_types(types: Iterable[str]) -> dict[str, object]:
    """Return the types of the payload fields on which all of these event types agree."""
    found: dict[str, object] = {}
    for fields in map(fields_of, types):
        for name, type_ in fields.items():
            found[name] = type_ if found.get(name, type_) == type_ else cel.Type.DYN
    return {name: type_ for name, type_ in found.items() if type_ != cel.Type.DYN}
