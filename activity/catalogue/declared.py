"""A deployment's own event types: what installed packages declare under `activity.event_types`.

An entry point names a DeclaredType, or a tuple of them. Every process that validates or shows events needs
the package; where it is missing, the type is one of the many that are taken as they are.
"""

import re
from collections.abc import Collection, Iterable
from dataclasses import replace
from importlib.metadata import EntryPoint, entry_points

import msgspec

from activity.catalogue.language import Language
from activity.catalogue.template import SENTENCE_FAULTS, fill, parse
from activity.errors import ActivityError
from activity.event_type import NAME, DeclaredType, Payload

GROUP = "activity.event_types"
_FIELD = re.compile(r"\{(\w+)")


class InvalidDeclaration(ActivityError):
    """An event type that a package declares cannot be used."""


def declared(reserved: Collection[str]) -> Iterable[DeclaredType]:
    """Return every declared type. Raises InvalidDeclaration, also where its namespace is a reserved one."""
    seen: set[tuple[str, int]] = set()
    for entry in sorted(entry_points(group=GROUP)):
        for known in _load(entry):
            fault = _fault(known, reserved)
            if fault is None and (known.name, known.version) in seen:
                fault = f"version {known.version} of it is declared twice"
            if fault is not None:
                raise InvalidDeclaration(f"event type {known.name!r} of {entry.value}: {fault}")
            seen.add((known.name, known.version))
            yield known


def _load(entry: EntryPoint) -> tuple[DeclaredType, ...]:
    try:
        found = entry.load()
    except (ImportError, AttributeError) as error:
        raise InvalidDeclaration(f"entry point {entry.value!r} of {GROUP}: {error}") from error
    types = found if isinstance(found, tuple) else (found,)
    if not all(isinstance(known, DeclaredType) for known in types):
        raise InvalidDeclaration(
            f"entry point {entry.value!r} of {GROUP}: name a DeclaredType or a tuple of them"
        )
    return types


def _fault(known: DeclaredType, reserved: Collection[str]) -> str | None:
    """Return what is wrong with a type's name, payload or example, or None."""
    first, _, rest = known.name.partition(".")
    if first in reserved or not rest or not NAME.fullmatch(known.name):
        return "give it a namespace of your own, such as 'acme.form_filled'"
    if not issubclass(known.payload, Payload):
        return "its payload is no Payload of activity.event_type"
    try:
        msgspec.convert(known.example, known.payload)
    except msgspec.ValidationError as error:
        return f"its example does not fit its payload: {error}"
    return None if "en" in known.sentences else "it has no English sentence"


def extended(code: str, language: Language, types: Iterable[DeclaredType]) -> Language:
    """Return a language that also tells these types. Raises InvalidDeclaration."""
    titles, sentences = (
        dict(language.titles),
        {v: dict(templates) for v, templates in language.sentences.items()},
    )
    for known in types:
        template = known.sentences.get(code, known.sentences["en"])
        _check_sentence(known, template, language)
        sentences.setdefault(known.version, {})[known.name] = template
        titles[known.name] = known.titles.get(code, known.title)
    return replace(language, titles=titles, sentences=sentences)


def _check_sentence(known: DeclaredType, template: str, language: Language) -> None:
    """Tell the example, so that a mistake shows when a process starts and not when somebody reads."""
    unknown = set(_FIELD.findall(template)) - {field.name for field in msgspec.structs.fields(known.payload)}
    try:
        fault = f"the payload has no {sorted(unknown)}" if unknown else None
        if not fault and not fill(parse(template), msgspec.convert(known.example, known.payload), language):
            fault = "the example lacks a value that it needs"
    except SENTENCE_FAULTS as error:
        fault = f"{type(error).__name__}: {error}"
    if fault:
        raise InvalidDeclaration(f"event type {known.name!r}, sentence {template!r}: {fault}")
