"""The rules of a mapping, compiled: each makes an event or a record of a row."""

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from uuid import UUID, uuid5

import msgspec

from activity.catalogue import CATALOGUE
from activity.errors import InvalidEvent
from activity.event import Event
from activity.validation import encode
from db.records.records import Account, Contact, Member, Opportunity, Record
from producers.imports.conditions import Condition, compile_when
from producers.imports.errors import InvalidMapping, RowRejected
from producers.imports.fields import Context, Row, compile_field, compile_fields, template
from producers.imports.section import Section
from producers.imports.times import rfc3339

EVENT_KEYS = "type id occurred_at actor account_id contact_id record_type record_id cause payload when"
RECORD_KEYS = "kind when"
KINDS: Mapping[str, type[Record]] = {
    "member": Member,
    "account": Account,
    "contact": Contact,
    "opportunity": Opportunity,
}
_FIELDS = ("actor", "account_id", "contact_id", "record_type", "record_id")

MakeEvent = Callable[[Row, int], Event]
MakeRecord = Callable[[Row], Record]


def compile_event(
    section: Section, source: str, namespace: UUID, context: Context
) -> tuple[Condition, MakeEvent]:
    """Compile one [[event]]: when a row makes it, and what makes it, given the row and the tenant."""
    kind = _type(section)
    make_id = template(section.required("id", str), section.name("id"), context)
    cause = template(section.optional("cause", str, ""), section.name("cause"), context)
    occurred_at = _occurred_at(section, context)
    fields = compile_fields(
        Section({name: section.values[name] for name in _FIELDS if name in section}, section.path), context
    )
    payload = compile_fields(section.table("payload"), context)

    def make(row: Row, tenant: int) -> Event:
        name, effect_of = make_id(row), cause(row)
        if name is None:
            raise RowRejected(f"{section.name('id')}: a column of it is empty, so the event has no identity")
        return Event(
            tenant_id=tenant,
            event_id=uuid5(namespace, name),
            cause_id=uuid5(namespace, effect_of) if effect_of else None,
            type=kind,
            version=_version(kind),
            source=source,
            occurred_at=occurred_at(row),
            payload=payload(row),
            **fields(row),
        )

    return compile_when(section.table("when"), context), make


def _type(section: Section) -> str:
    kind = section.required("type", str)
    try:
        encode(
            Event(
                tenant_id=1, type=kind, version=_version(kind), payload={}, source="import", account_id="any"
            )
        )
    except InvalidEvent as error:
        if error.field == "type":  # this event lacks what a row would give it
            raise InvalidMapping(section.name("type"), f"{error.fault}; {error.right}") from None
    return kind


def _version(kind: str) -> int:
    return CATALOGUE[kind].version if kind in CATALOGUE else 1


def _occurred_at(section: Section, context: Context) -> Callable[[Row], datetime]:
    key = section.name("occurred_at")
    if "occurred_at" not in section:
        raise InvalidMapping(
            key,
            'missing; give { value = "{column}", time = "NAME" } with a [times.NAME],'
            " or a constant such as 2026-01-31T00:00:00Z",
        )
    read = compile_field(section.values["occurred_at"], key, context)

    def moment(row: Row) -> datetime:
        found = read(row)
        if found is None:
            raise RowRejected(f"{key}: the column is empty")
        try:
            return found if isinstance(found, datetime) else rfc3339(str(found))
        except RowRejected as error:
            raise RowRejected(f"{key}: {error}") from None

    return moment


def compile_record(section: Section, context: Context) -> tuple[Condition, MakeRecord]:
    """Compile one [[record]]: when a row makes it, and what makes it."""
    kind = section.required("kind", str)
    if kind not in KINDS:
        raise InvalidMapping(section.name("kind"), f"{kind!r} is none of {', '.join(KINDS)}")
    record = KINDS[kind]
    names = record.__struct_fields__
    Section(section.values, section.path, f"{RECORD_KEYS} {' '.join(names)}")
    if names[0] not in section:
        raise InvalidMapping(
            section.name(names[0]), f"missing; it is what distinguishes one {kind} from another"
        )
    fields = compile_fields(
        Section({name: section.values[name] for name in names if name in section}, section.path), context
    )
    return compile_when(section.table("when"), context), partial(_record, record, fields, section.path)


def _record(record: type[Record], fields: Callable[[Row], dict[str, object]], path: str, row: Row) -> Record:
    try:
        return msgspec.convert(fields(row), record)
    except msgspec.ValidationError as error:
        raise RowRejected(f"{path}: {error}") from None
