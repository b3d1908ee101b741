"""A mapping file: how the rows of a file become events and records. docs/importing.md is its manual."""

import hashlib
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid5

from activity.event import Event
from activity.validation import MAX_NAME
from db.records.records import Record
from producers.imports.conditions import Condition
from producers.imports.errors import ImportFailed, InvalidMapping
from producers.imports.fields import Context, Row, template
from producers.imports.rules import EVENT_KEYS, MakeEvent, MakeRecord, compile_event, compile_record
from producers.imports.section import Section
from producers.imports.times import KEYS as TIME_KEYS
from producers.imports.times import compile_time

_KEYS = "name source file tenant tables times values record every event"
_NAMESPACE = UUID("8b1b6f0e-6b3a-5d0c-9a55-0c9d7f5e2a41")  # of all ids that mappings make: never change it


@dataclass(frozen=True)
class FileForm:
    """How a file is written."""

    format: str
    delimiter: str
    encoding: str


@dataclass(frozen=True)
class LookupTable:
    """A second file, whose columns are added to the rows that it matches, as NAME.column."""

    name: str
    file: str
    key: str
    match: Callable[[Row], str | None]
    form: FileForm


@dataclass(frozen=True)
class ImportMap:
    """A mapping, compiled. `source` is the source of its events, `digest` changes with the file."""

    source: str
    digest: str
    form: FileForm
    tables: list[LookupTable]
    tenant: Callable[[Row], str | None] | None  # by its slug, where the rows choose
    make_tenants: bool
    first_event_only: bool
    events: list[tuple[Condition, MakeEvent]]
    records: list[tuple[Condition, MakeRecord]]
    columns: list[tuple[str, str]]

    def events_of(self, row: Row, tenant: int) -> list[Event]:
        """Return the events that a row makes. Raises RowRejected."""
        made = []
        for when, make in self.events:
            if when(row):
                made.append(make(row, tenant))
                if self.first_event_only:
                    break
        return made

    def records_of(self, row: Row) -> list[Record]:
        """Return the records that a row makes. Raises RowRejected."""
        return [make(row) for when, make in self.records if when(row)]

    def check_columns(self, there: set[str]) -> None:
        """Raise InvalidMapping where the mapping reads a column that the file does not have."""
        for key, column in self.columns:
            if column not in there:
                raise InvalidMapping(
                    key, f"the file has no column {column!r}; it has {', '.join(sorted(there))}"
                )


def load(path: Path) -> ImportMap:
    """Read and compile a mapping file. Raises InvalidMapping, which names the key, or ImportFailed."""
    try:
        text = path.read_bytes()
        return compile_mapping(tomllib.loads(text.decode()), hashlib.sha256(text).hexdigest())
    except OSError as error:
        raise ImportFailed(f"{path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidMapping(str(path), f"this is not TOML: {error}") from None


def compile_mapping(values: Mapping[str, object], digest: str = "") -> ImportMap:
    """Compile a mapping. Raises InvalidMapping, which names the key and says what is allowed."""
    root = Section(values, "", _KEYS)
    name = root.required("name", str)
    source = root.optional("source", str, f"import:{name}")
    if not name or len(source) > MAX_NAME:
        raise InvalidMapping(
            "name", "give a short name; the ids of all events are made with it, so keep it for good"
        )
    file = root.table("file", "format delimiter encoding events")
    context = Context(
        values=_values(root),
        times={section.path[6:]: compile_time(section) for section in root.tables("times", TIME_KEYS)},
    )
    tenant = root.table("tenant", "slug create")
    table_keys = "file key match format delimiter encoding"
    mapping = ImportMap(
        source=source,
        digest=digest,
        form=_form(file),
        tables=[_table(section, context) for section in root.tables("tables", table_keys)],
        tenant=template(tenant.required("slug", str), "tenant.slug", context) if tenant.values else None,
        make_tenants=tenant.optional("create", bool, False),
        first_event_only=file.choice("events", "all first", "all") == "first",
        events=[
            compile_event(section, source, uuid5(_NAMESPACE, name), context) for section in _events(root)
        ],
        records=[compile_record(section, context) for section in root.tables("record")],
        columns=context.columns,
    )
    if not mapping.events and not mapping.records:
        raise InvalidMapping("event", "a row makes nothing; give at least one [[event]] or [[record]]")
    return mapping


def _events(root: Section) -> Iterator[Section]:
    """Yield the tables of [[event]], each on top of [every], which holds for all of them."""
    every = root.table("every", EVENT_KEYS)
    for section in root.tables("event", EVENT_KEYS):
        payload = {**every.table("payload").values, **section.table("payload").values}
        yield Section({**every.values, **section.values, "payload": payload}, section.path)


def _values(root: Section) -> dict[str, Mapping[str, object]]:
    section = root.table("values")
    return {name: section.required(name, dict) for name in section.values}


def _form(section: Section) -> FileForm:
    encoding = section.choice("encoding", "utf-8 utf-16 latin-1 cp1252", "utf-8")
    return FileForm(section.choice("format", "csv ndjson", "csv"), _delimiter(section), encoding)


def _delimiter(section: Section) -> str:
    text = section.optional("delimiter", str, ",")
    if len(text) != 1 or text in '"\r\n':
        raise InvalidMapping(
            section.name("delimiter"), f"{text!r} is not one character, such as , ; or a tab (\\t)"
        )
    return text


def _table(section: Section, context: Context) -> LookupTable:
    match = template(section.required("match", str), section.name("match"), context)
    return LookupTable(
        section.path.partition(".")[2],
        section.required("file", str),
        section.required("key", str),
        match,
        _form(section),
    )
