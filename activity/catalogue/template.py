"""Summaries as data: templates with optional parts, filled from a payload.

`{field}` is a value and `{field:format}` a formatted one. `[...]` is left out if a value in it is absent; of
`[a|b]` the first choice whose values are all present is used. ` || ` separates alternatives for the whole:
the first one whose unbracketed values are all present is used.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from activity.catalogue.language import Language, duration
from activity.event_type import FieldChange, Payload

Part = dict[str, str]
# What `fill` raises where a sentence's format does not suit its value.
SENTENCE_FAULTS = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
_LONGEST = 120  # characters of one value in a sentence
_FIELD = re.compile(r"\{(\w+)(?::([^}]*))?\}")
_GROUP = re.compile(r"\[([^\]]*)\]")
_BLANK = re.compile(r"[\x00-\x20\x7f-\xa0\u1680\u2000-\u200b\u2028\u2029\u202f\u205f\u2060\u3000\ufeff]+")
# Marks that change the direction of the text around them, with which a name could rewrite the sentence, and
# lone surrogates, which are not text.
_UNSHOWN = re.compile(r"[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


class Field(NamedTuple):
    """A value's place in a sentence."""

    name: str
    format: str


Choice = tuple[str | Field, ...]
Group = tuple[Choice, ...]
Sentence = tuple[tuple[Group, ...], ...]


def parse(template: str) -> Sentence:
    """Return a template as alternatives of groups of choices."""
    return tuple(tuple(_groups(alternative)) for alternative in template.split(" || "))


def _groups(alternative: str) -> Iterable[Group]:
    for i, run in enumerate(_GROUP.split(alternative)):
        if i % 2:
            yield (*(_choice(text) for text in run.split("|")), ())
        elif run:
            yield (_choice(run),)


def _choice(text: str) -> Choice:
    pieces: list[str | Field] = []
    end = 0
    for match in _FIELD.finditer(text):
        pieces += [text[end : match.start()], Field(match[1], match[2] or "")]
        end = match.end()
    return tuple(piece for piece in (*pieces, text[end:]) if piece)


def fill(sentence: Sentence, payload: Payload, language: Language) -> list[Part] | None:
    """Return the first alternative that the payload can fill, as parts, or None."""
    for alternative in sentence:
        filled: list[Part] = []
        for group in alternative:
            parts = _first(group, payload, language)
            if parts is None:
                break
            filled += parts
        else:
            return _joined(filled)
    return None


def _first(group: Group, payload: Payload, language: Language) -> list[Part] | None:
    for choice in group:
        filled: list[Part] = []
        for piece in choice:
            parts = _value(piece, payload, language) if isinstance(piece, Field) else [{"t": piece}]
            if not parts:
                break
            filled += parts
        else:
            return filled
    return None


def _joined(parts: Iterable[Part]) -> list[Part]:
    joined: list[Part] = []
    for part in parts:
        if "t" in part and joined and "t" in joined[-1]:
            joined[-1] = {"t": joined[-1]["t"] + part["t"]}
        else:
            joined.append(part)
    return joined


def _value(field: Field, payload: Payload, language: Language) -> list[Part]:
    """Return a value's parts; none if it is absent. `=words` looks a word up, `#one/many` counts."""
    value, form = getattr(payload, field.name), field.format
    if form[:1] == "=":
        word = language.words[form[1:]].get(value)
        return [{"t": word}] if word else []
    if value is None or value == ():
        return []
    if form[:1] == "#":
        n = len(value) if isinstance(value, tuple) else value
        one, many = form[1:].split("/")
        return [{"v": language.number(n)}, {"t": f" {one if n == 1 else many}"}]
    text = clean(_FORMATS[form](value, payload, language) if form else str(value))
    return [{"v": text}] if text else []


def clean(text: str) -> str:
    """Return the text on one line, without marks that could rewrite the sentence, cut to 120 characters."""
    plain = text.isprintable() and "  " not in text  # as nearly every text is, and this is far quicker
    line = (text if plain else _BLANK.sub(" ", _UNSHOWN.sub("", text))).strip(" ")
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1].rstrip(" ") + "…"


def _link(url: str) -> str:
    """Return a link's host and path: its query is noise in a sentence and may hold a token."""
    return re.sub(r"^https?://(www\.)?|[?#].*$", "", url, flags=re.DOTALL).rstrip("/")


def _listed(values: tuple[Any, ...]) -> str:
    names = [
        name for value in values if (name := clean(value.field if isinstance(value, FieldChange) else value))
    ]
    more = f" +{len(names) - 3}" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


_FORMATS: Mapping[str, Callable[[Any, Payload, Language], str]] = {
    "number": lambda value, payload, language: language.number(value),
    "money": lambda value, payload, language: language.money(value, getattr(payload, "currency", None)),
    "when": lambda value, payload, language: language.moment(value),
    "duration": lambda value, payload, language: duration(value),
    "link": lambda value, payload, language: _link(value),
    "list": lambda value, payload, language: _listed(value),
}
