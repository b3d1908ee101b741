"""The words by which events are found: one pure function for what they say and for what is searched.

Case, accents and the width of characters make no difference; what is written without spaces is cut into
pairs.
Words are not stemmed: languages are mixed, and what is typed last finds every word that begins so.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from activity.catalogue import CATALOGUE

_UNSPACED = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u0e00-\u0e7f"  # kana, Han, Thai
_RUN = re.compile(rf"[{_UNSPACED}]+|[^\W_{_UNSPACED}]+")
_IS_UNSPACED = re.compile(f"[{_UNSPACED}]")
_LONGEST = 40  # characters of a word that count
_MOST = 5_000  # words of an event
_GAP = 10  # places between two fields, so that no phrase reaches from one into the next

# What people look for. Not what says the same again: an open repeats the subject of its mail.
_SILENT = frozenset(
    {
        "email.opened",
        "email.clicked",
        "email.delivered",
        "email.deferred",
        "event.corrected",
        "event.classified",
    }
)
_FIELDS = (
    *("title", "subject", "text", "excerpt", "note", "reason", "outcome", "name", "on", "location"),
    *("from_name", "from_address", "to_name", "to_address", "recipient", "contact_name", "account_name"),
    *("merged_name", "from_stage", "to_stage", "stage", "competitor", "signal", "playbook", "sequence"),
    *("domain", "email", "assignee", "phone", "file_name", "url"),
)


class Word(NamedTuple):
    """A word as it is searched, and where it stands in its text."""

    text: str
    start: int
    end: int


def words(text: str) -> Iterator[Word]:
    """Yield the words of a text that is in the form NFC, in their order."""
    for match in _RUN.finditer(text):
        run = match[0]
        if _IS_UNSPACED.match(run):
            size = min(2, len(run))
            for at in range(len(run) - size + 1):
                start = match.start() + at
                yield Word(_folded(run[at : at + size]), start, start + size)
        elif folded := _folded(run):
            yield Word(folded, match.start(), match.end())


@lru_cache(50_000)
def _folded(run: str) -> str:
    plain = unicodedata.normalize("NFKD", run.casefold())
    return "".join(one for one in plain if not unicodedata.combining(one)).casefold()[:_LONGEST]


def texts(type_: str, fields: Mapping[str, Any]) -> list[str]:
    """Return the texts by which an event is found, in the form NFC; of a workspace's own types all it has."""
    if type_ in _SILENT:
        return []
    names = _FIELDS if type_ in CATALOGUE else tuple(fields)[:50]
    found = (fields.get(name) for name in names)
    return [unicodedata.normalize("NFC", text) for text in found if isinstance(text, str) and text.strip()]


def places(found: list[str]) -> dict[str, list[int]]:
    """Return the words of an event's texts, each with its places."""
    at: dict[str, list[int]] = {}
    place = 1
    for text in found:
        for word in words(text):
            if place > _MOST:
                return at
            at.setdefault(word.text, []).append(place)
            place += 1
        place += _GAP
    return at


_AROUND = 60  # characters shown before the first word found
_SHOWN = 240


def excerpt(found: list[str], wanted: frozenset[str], prefix: str | None) -> list[dict[str, str]]:
    """Return a piece of an event's texts around the first word that was searched, in parts.

    Text (t) and words that were searched (m); nothing where none of them is in it.
    """
    for text in found:
        marked = [
            word
            for word in words(text)
            if word.text in wanted or (prefix is not None and word.text.startswith(prefix))
        ]
        if marked:
            return _parts(text, marked)
    return []


def _parts(text: str, marked: list[Word]) -> list[dict[str, str]]:
    begin = max(0, marked[0].start - _AROUND)
    end = min(len(text), begin + _SHOWN)
    parts: list[dict[str, str]] = [{"t": "…"}] if begin else []
    at = begin
    for word in marked:
        if word.start < at or word.end > end:
            continue
        parts += [{"t": text[at : word.start]}] * (word.start > at) + [{"m": text[word.start : word.end]}]
        at = word.end
    return parts + [{"t": text[at:end] + ("…" if end < len(text) else "")}] * (at < len(text))


def lexeme(name: str, value: str) -> str:
    """Return what stands for a filter's value among an event's words: no word has an = in it."""
    return f"{name[0]}={value}"
