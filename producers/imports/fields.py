"""Fields of events and records: each is made of a text with {columns} in it, or of a table with rules."""

import json
import re
import string
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

from producers.imports.errors import InvalidMapping, RowRejected
from producers.imports.section import Section
from producers.imports.times import ReadTime, rfc3339

Row = Mapping[str, str]
ReadField = Callable[[Row], Any]  # None: the row has no value for it
KEYS = "value values otherwise default as time required"


def words(text: str) -> list[str]:
    """Return the words of a text in lower-case ASCII letters and digits."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.findall("[a-z0-9]+", plain.lower())


FILTERS: Mapping[str, Callable[[str], str]] = {
    "lower": str.lower,
    "upper": str.upper,
    "slug": lambda text: "-".join(words(text)),
    "dotted": lambda text: ".".join(words(text)),
}


@dataclass
class Context:
    """What the rest of a mapping offers to its fields; `columns` collects which key reads which column."""

    values: Mapping[str, Mapping[str, object]]
    times: Mapping[str, ReadTime]
    columns: list[tuple[str, str]] = field(default_factory=list)


class _Piece(NamedTuple):
    """A part of a template: a literal, then perhaps a column's value, changed by a filter."""

    literal: str
    column: str | None
    change: Callable[[str], str] | None


def template(text: str, key: str, context: Context) -> Callable[[Row], str | None]:
    """Compile a text with placeholders {column} and {column|filter}.

    Where a column is empty, the whole is None.
    """
    try:
        parsed = list(string.Formatter().parse(text))
    except ValueError as error:
        raise InvalidMapping(key, f"{text!r:.60}: {error}; a brace itself is written twice") from None
    pieces = []
    for literal, name, spec, conversion in parsed:
        if spec or conversion or name == "":
            raise InvalidMapping(key, f"{text!r:.60}: write a column as {{name}} or {{name|filter}}")
        pieces.append(_piece(literal, name or "", key))
    context.columns += [(key, piece.column) for piece in pieces if piece.column]
    return _filler(pieces)


def _piece(literal: str, name: str, key: str) -> _Piece:
    column, _, filter_name = name.partition("|")
    if filter_name and filter_name not in FILTERS:
        raise InvalidMapping(key, f"no filter {filter_name!r}; there are {', '.join(FILTERS)}")
    return _Piece(literal, column or None, FILTERS.get(filter_name))


def _filler(pieces: list[_Piece]) -> Callable[[Row], str | None]:
    """Return what fills a template for a row; one column alone is frequent, and needs no loop."""
    if len(pieces) == 1 and pieces[0].column and not pieces[0].literal and not pieces[0].change:
        only = pieces[0].column
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


def compile_field(spec: object, key: str, context: Context) -> ReadField:
    """Compile the value of a field.

    It is a text, a number, true or false, a list, a table with `value` in it, or a table of fields.
    """
    if isinstance(spec, str):
        return template(spec, key, context) if "{" in spec or "}" in spec else lambda row: spec
    if isinstance(spec, list):
        items = [
            compile_field(item, f"{key}[{number}]", context) for number, item in enumerate(spec, start=1)
        ]
        return lambda row: [value for item in items if (value := item(row)) is not None]
    if isinstance(spec, dict):
        return (
            _derived(Section(spec, key, KEYS), context)
            if "value" in spec
            else compile_fields(Section(spec, key), context)
        )
    if isinstance(spec, datetime) and spec.tzinfo is None:
        raise InvalidMapping(key, f"{spec.isoformat()} has no zone; add one, such as Z")
    if not isinstance(spec, (bool, int, float, datetime)):
        raise InvalidMapping(
            key, f'{spec!r:.60} is not what a field is made of; write a text such as "{{column}}"'
        )
    return lambda row: spec


def compile_fields(section: Section, context: Context) -> Callable[[Row], dict[str, Any]]:
    """Compile a table of fields; those for which a row has no value are left out."""
    fields = [
        (name, compile_field(spec, section.name(name), context)) for name, spec in section.values.items()
    ]
    return lambda row: {name: value for name, read in fields if (value := read(row)) is not None}


def _derived(section: Section, context: Context) -> ReadField:
    """A value, then replaced by a table of values, then a default where there is none, then converted."""
    value = compile_field(section.values["value"], section.name("value"), context)
    table = _table(section, context)
    otherwise = _optional(section, "otherwise", context) or value
    default = _optional(section, "default", context)
    convert = _converter(section, context)
    required = section.optional("required", bool, False)

    def read(row: Row) -> Any:
        found = value(row)
        if table is not None and found is not None:
            found = table[found] if found in table else otherwise(row)
        if found is None and default is not None:
            found = default(row)
        if found is None and required:
            raise RowRejected(f"{section.path}: there is no value, and it is required")
        try:
            return convert(found) if isinstance(found, str) else found
        except RowRejected as error:
            raise RowRejected(f"{section.path}: {error}") from None

    return read


def _optional(section: Section, key: str, context: Context) -> ReadField | None:
    return compile_field(section.values[key], section.name(key), context) if key in section else None


def _table(section: Section, context: Context) -> Mapping[str, object] | None:
    spec = section.values.get("values")
    if spec is None:
        if "otherwise" in section:
            raise InvalidMapping(
                section.name("otherwise"), "it is for what is not among `values`: give those too"
            )
        return None
    if isinstance(spec, dict):
        return spec
    if spec not in context.values:
        there = ", ".join(context.values) or "none"
        raise InvalidMapping(
            section.name("values"), f"{spec!r:.60}: no such table; there are {there} under [values.NAME]"
        )
    return context.values[spec]


def _converter(section: Section, context: Context) -> Callable[[str], object]:
    if "time" in section:
        name = section.required("time", str)
        if name not in context.times:
            raise InvalidMapping(
                section.name("time"),
                f"{name!r}: no such time; there are {', '.join(context.times) or 'none'} under [times.NAME]",
            )
        return context.times[name]
    return _AS[section.choice("as", " ".join(_AS), "text")]


def _integer(text: str) -> int:
    if not re.fullmatch(r"[+-]?[0-9]{1,18}", text):
        raise RowRejected(f"{text!r:.60} is not a whole number")
    return int(text)


def _decimal(text: str) -> str:
    """A decimal stays a text, so that it keeps its digits."""
    if not re.fullmatch(r"-?[0-9]{1,15}(\.[0-9]{1,6})?", text):
        raise RowRejected(f"{text!r:.60} is not a decimal such as 1250.00")
    return text


def _number(text: str) -> float:
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal("nan")
    if not number.is_finite():
        raise RowRejected(f"{text!r:.60} is not a number")
    return float(number)


def _boolean(text: str) -> bool:
    if text not in ("true", "false"):
        raise RowRejected(f"{text!r:.60} is neither true nor false; a table of `values` can map it")
    return text == "true"


def _json(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise RowRejected(f"{text!r:.60} is not JSON") from None


_AS: Mapping[str, Callable[[str], object]] = {
    "text": str,
    "integer": _integer,
    "decimal": _decimal,
    "number": _number,
    "boolean": _boolean,
    "json": _json,
    "rfc3339": rfc3339,
}
