"""What a field of an event or a record is made of: a text with {columns} in it, or a table that says more."""

import json
import re
import string
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from producers.imports.errors import MappingInvalid, RowRejected
from producers.imports.section import Section
from producers.imports.times import ReadTime, rfc3339

Row = Mapping[str, str]
Read = Callable[[Row], Any]  # None: nothing is said
KEYS = "value values otherwise default as time required"


def words(text: str) -> list[str]:
    """The words of a text in lower-case ASCII letters and digits."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.findall("[a-z0-9]+", plain.lower())


FILTERS: Mapping[str, Callable[[str], str]] = {
    "lower": str.lower,
    "upper": str.upper,
    "slug": lambda text: "-".join(words(text)),
    "dotted": lambda text: ".".join(words(text)),
}


@dataclass
class Known:
    """What the rest of a mapping offers to its fields; `columns` collects what they ask of the file, by the key that asks."""

    values: Mapping[str, Mapping[str, Any]]
    times: Mapping[str, ReadTime]
    columns: list[tuple[str, str]] = field(default_factory=list)


def template(text: str, key: str, known: Known) -> Callable[[Row], str | None]:
    """Compile a text with placeholders {column} and {column|filter}. Where a column is empty, so is the whole: None."""
    try:
        parts = [
            (literal, name, spec or conversion)
            for literal, name, spec, conversion in string.Formatter().parse(text)
        ]
    except ValueError as error:
        raise MappingInvalid(key, f"{text!r:.60}: {error}; a brace itself is written twice") from None
    pieces: list[tuple[str, str | None, Callable[[str], str] | None]] = []
    for literal, name, more in parts:
        if more or name == "":
            raise MappingInvalid(key, f"{text!r:.60}: write a column as {{name}} or {{name|filter}}")
        column, _, filter_name = (name or "").partition("|")
        if filter_name and filter_name not in FILTERS:
            raise MappingInvalid(key, f"no filter {filter_name!r}; there are {', '.join(FILTERS)}")
        if column:
            known.columns.append((key, column))
        pieces.append((literal, column or None, FILTERS.get(filter_name)))
    if len(pieces) == 1 and not pieces[0][0] and pieces[0][1] and not pieces[0][2]:
        only = pieces[0][1]
        return lambda row: row.get(only) or None

    def fill(row: Row) -> str | None:
        filled = ""
        for literal, column, change in pieces:
            filled += literal
            if column is not None:
                text = row.get(column) or ""
                text = change(text) if change else text
                if not text:
                    return None
                filled += text
        return filled or None

    return fill


def compile_field(spec: Any, key: str, known: Known) -> Read:
    """Compile the value of a field: a text, a number, true or false, a list, a table with `value` in it, or a table of fields."""
    if isinstance(spec, str):
        return template(spec, key, known) if "{" in spec or "}" in spec else lambda row: spec
    if isinstance(spec, list):
        items = [compile_field(item, f"{key}[{number}]", known) for number, item in enumerate(spec, start=1)]
        return lambda row: [value for item in items if (value := item(row)) is not None]
    if isinstance(spec, dict):
        return (
            _derived(Section(spec, key, KEYS), known)
            if "value" in spec
            else compile_fields(Section(spec, key), known)
        )
    if isinstance(spec, datetime) and spec.tzinfo is None:
        raise MappingInvalid(key, f"{spec.isoformat()} has no zone; add one, such as Z")
    if not isinstance(spec, (bool, int, float, datetime)):
        raise MappingInvalid(
            key, f'{spec!r:.60} is not what a field is made of; write a text such as "{{column}}"'
        )
    return lambda row: spec


def compile_fields(section: Section, known: Known) -> Callable[[Row], dict[str, Any]]:
    """Compile a table of fields; those about which a row says nothing are left out."""
    fields = [(name, compile_field(spec, section.name(name), known)) for name, spec in section.values.items()]
    return lambda row: {name: value for name, read in fields if (value := read(row)) is not None}


def _derived(section: Section, known: Known) -> Read:
    """A value, then replaced by a table of values, then a default where there is none, then read as what it is."""
    value = compile_field(section.values["value"], section.name("value"), known)
    table = _table(section, known)
    otherwise = (
        compile_field(section.values["otherwise"], section.name("otherwise"), known)
        if "otherwise" in section
        else value
    )
    default = (
        compile_field(section.values["default"], section.name("default"), known)
        if "default" in section
        else None
    )
    convert = _converter(section, known)
    required = section.optional("required", bool, False)

    def read(row: Row) -> Any:
        found = value(row)
        if table is not None and found is not None:
            found = table[found] if found in table else otherwise(row)
        if found is None and default is not None:
            found = default(row)
        if found is None:
            if required:
                raise RowRejected(f"{section.path}: nothing is said, and it is required")
            return None
        try:
            return convert(found) if isinstance(found, str) else found
        except RowRejected as error:
            raise RowRejected(f"{section.path}: {error}") from None

    return read


def _table(section: Section, known: Known) -> Mapping[str, Any] | None:
    spec = section.values.get("values")
    if spec is None:
        if "otherwise" in section:
            raise MappingInvalid(
                section.name("otherwise"), "it is for what is not among `values`: give those too"
            )
        return None
    if isinstance(spec, dict):
        return spec
    if spec not in known.values:
        raise MappingInvalid(
            section.name("values"),
            f"{spec!r:.60}: no such table; there are {', '.join(known.values) or 'none'} under [values.NAME]",
        )
    return known.values[spec]


def _converter(section: Section, known: Known) -> Callable[[str], Any]:
    if "time" in section:
        name = section.required("time", str)
        if name not in known.times:
            raise MappingInvalid(
                section.name("time"),
                f"{name!r}: no such time; there are {', '.join(known.times) or 'none'} under [times.NAME]",
            )
        return known.times[name]
    return _AS[section.choice("as", " ".join(_AS), "text")]


def _integer(text: str) -> int:
    if not re.fullmatch(r"[+-]?[0-9]{1,18}", text):
        raise RowRejected(f"{text!r:.60} is no whole number")
    return int(text)


def _decimal(text: str) -> str:
    """A decimal stays a text, so that it keeps its digits."""
    if not re.fullmatch(r"-?[0-9]{1,15}(\.[0-9]{1,6})?", text):
        raise RowRejected(f"{text!r:.60} is no decimal such as 1250.00")
    return text


def _number(text: str) -> float:
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal("nan")
    if not number.is_finite():
        raise RowRejected(f"{text!r:.60} is no number")
    return float(number)


def _boolean(text: str) -> bool:
    if text not in ("true", "false"):
        raise RowRejected(f"{text!r:.60} is neither true nor false; a table of `values` can say what it is")
    return text == "true"


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise RowRejected(f"{text!r:.60} is no JSON") from None


_AS: Mapping[str, Callable[[str], Any]] = {
    "text": str,
    "integer": _integer,
    "decimal": _decimal,
    "number": _number,
    "boolean": _boolean,
    "json": _json,
    "rfc3339": rfc3339,
}
