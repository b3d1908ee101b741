"""The reference of all event types, as Markdown and as JSON Schemas, made from the catalogue alone."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from activity.catalogue.registry import CATALOGUE
from activity.catalogue.summary import LANGUAGES, summarise
from activity.event_type import Category, EventType

_INTRODUCTION = """\
# Event types

Every built-in type, its payload and its summary. A payload may hold more fields than are listed; they are
stored too. A workspace's own types go under a first segment that no built-in type uses.

This page is made from the catalogue by `make reference`.
"""


def json_schema(type: str) -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a type's payload in its newest version. Raises KeyError."""
    payload = CATALOGUE[type].payload
    schema = msgspec.json.schema(payload)
    parts = schema["$defs"]
    own = parts.pop(payload.__name__)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **own,
        **({"$defs": parts} if parts else {}),
    }


def reference() -> str:
    """Return the whole page as Markdown."""
    return "\n".join([_INTRODUCTION, *(line for category in Category for line in _section(category))])


def _section(category: Category) -> Iterator[str]:
    yield f"## {category.capitalize()}\n"
    for known in CATALOGUE.values():
        if known.category == category:
            yield from _entry(known)


def _entry(known: EventType) -> Iterator[str]:
    schema = json_schema(known.name)
    yield f"### `{known.name}`\n\n{schema['description']}\n"
    related = f"; links to a `{known.record_type}`" if known.record_type else ""
    folds = "; repeats may fold" if known.foldable else ""
    yield f"{known.title} · version {known.version} · icon `{known.icon}`, {known.tone}{related}{folds}\n"
    yield "| field | kind | meaning |\n|---|---|---|"
    yield from _rows(schema, schema.get("$defs", {}))
    yield f"\n```json\n{json.dumps(known.example, indent=2, ensure_ascii=False)}\n```\n"
    for locale in LANGUAGES:
        yield f"- {locale}: {summarise(known.name, known.version, known.example, locale)}"
    yield ""


def _rows(schema: Mapping[str, Any], parts: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    required = schema.get("required", ())
    for name, field in sorted(schema["properties"].items(), key=lambda item: item[0] not in required):
        needed = ", required" if name in required else ""
        yield f"| `{prefix}{name}` | {_kind(field)}{needed} | {field['description']} |"
        if "$ref" in field.get("items", {}):
            yield from _rows(parts[field["items"]["$ref"].rpartition("/")[2]], parts, f"{name}[].")


def _kind(field: Mapping[str, Any]) -> str:
    """Return the kind of value in words: `text or integer`, `list of objects`."""
    if "anyOf" in field:
        return " or ".join(dict.fromkeys(kind for each in field["anyOf"] if (kind := _kind(each)) != "null"))
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    if field.get("type") == "array":
        return f"list of {_kind(field['items'])}s"
    if "$ref" in field:
        return "object"
    kind = (
        "decimal"
        if "[0-9]" in field.get("pattern", "")
        else str(field.get("format") or field.get("type", "any"))
    )
    return "text" if kind == "string" else kind
