"""Search what events say. A hit is shown if its viewer may read it; what is held back from them is not found.

In a transaction of the role reader that names the tenant.
"""

import re
import unicodedata
from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from sqlalchemy.orm import Session

from activity.event import RecordedEvent
from activity.fate import right_fields
from activity.reading.visibility import Viewer
from activity.reading.words import excerpt, lexeme, texts, words
from db import search
from db.log.reading import by_seq
from db.log.reading.filter import Filter, accounts_beneath
from db.search import Hit, quoted
from feed.reading.visible import Seen, readable

_PAGES = 5  # pages of hits that are read where the filters or the viewer leave few of them
_BUDGET_MS = 40
_PHRASE = re.compile(r'"([^"]*)"?|([^"]+)')
_MOST_WORDS = 20  # of a search that are heeded


class Found(NamedTuple):
    """An event that was found, and a piece of what it says with the words marked."""

    seen: Seen
    excerpt: list[dict[str, str]]


class SearchPage(NamedTuple):
    """What was found, the newest first, and the place where the next page goes on.

    `looked_to`: the page came short, everything down to this moment was looked at. `instead`: the words that
    were searched where nothing was found as it was written.
    """

    found: list[Found]
    next: Hit | None
    looked_to: datetime | None
    instead: str | None = None


class _Query(NamedTuple):
    """What is searched: groups of words that all have to be there, and what is to be marked."""

    tsquery: str
    wanted: frozenset[str]
    prefix: str | None


def find(
    session: Session, tenant: int, text: str, which: Filter, viewer: Viewer, before: Hit | None, limit: int
) -> SearchPage:
    """Return a page of the events that have all the words, those in quotation marks next to each other.

    The last word may be the beginning of one. Where nothing has them, the nearest words are searched.
    """
    found = _page(session, tenant, _query(session, text), which, viewer, before, limit)
    if found.found or found.next or before is not None:
        return found
    for instead in _nearest(session, text):
        other = _page(session, tenant, _query(session, instead + " "), which, viewer, None, limit)
        if other.found:
            return other._replace(instead=instead)
    return found


def _page(
    session: Session,
    tenant: int,
    query: _Query,
    which: Filter,
    viewer: Viewer,
    before: Hit | None,
    limit: int,
) -> SearchPage:
    if not query.tsquery:
        return SearchPage([], None, None)
    passes = which.predicate(accounts_beneath(session, tenant, which))
    place = before if before is not None or which.until is None else Hit(which.until, 0)
    tsquery = " & ".join([query.tsquery, *_filters(which)])
    found: list[Found] = []
    for _ in range(_PAGES):
        hits = search.find(
            session, tsquery, before=place, since=which.since, most=limit + 1, budget_ms=_BUDGET_MS
        )
        shown = [one for one in _readable(session, tenant, hits, viewer) if passes(one.event)]
        found += [Found(one, _excerpt(one, query)) for one in shown]
        if len(found) > limit:
            return SearchPage(found[:limit], _place(found[limit - 1].seen.event), None)
        if len(hits) <= limit and all(hit.seq is not None for hit in hits):
            return SearchPage(found, None, None)
        place = Hit(hits[-1].occurred_at, hits[-1].seq or 0)
        if hits[-1].seq is None:
            break
    assert place is not None
    return SearchPage(found, place, place.occurred_at)


def _place(event: RecordedEvent) -> Hit:
    return Hit(event.occurred_at, event.seq)


def _readable(session: Session, tenant: int, hits: list[Hit], viewer: Viewer) -> list[Seen]:
    """Return the events of hits that the viewer may read and that still say something, in their order."""
    events = by_seq.numbered(session, tenant, [hit.seq for hit in hits if hit.seq is not None])
    seen = [one.by(viewer) for one in readable(session, tenant, events)]
    return [one for one in seen if not (one.held_back or one.event.is_erased or one.fate.retracted)]


def _excerpt(seen: Seen, query: _Query) -> list[dict[str, str]]:
    fields = right_fields(seen.event, seen.fate)
    return excerpt(texts(seen.event.type, fields), query.wanted, query.prefix)


def _filters(which: Filter) -> Iterator[str]:
    if which.account is not None:
        yield quoted(lexeme("account", which.account))
    if which.contact is not None:
        yield quoted(lexeme("contact", which.contact))
    if which.types:
        yield "(" + " | ".join(quoted(lexeme("type", name)) for name in which.types) + ")"


def _query(session: Session, text: str) -> _Query:
    text = unicodedata.normalize("NFC", text)
    groups: list[str] = []
    wanted: list[str] = []
    for match in _PHRASE.finditer(text):
        found = [word.text for word in words(match[0])]
        wanted += found
        if match[1] is not None and found:
            groups.append("(" + " <-> ".join(map(quoted, found)) + ")")
        else:
            groups += map(quoted, found)
    prefix = wanted[-1] if wanted and (text[-1].isalnum() or not text[-1].isascii()) else None
    if prefix is not None:
        beginning = {prefix, *search.beginning(session, prefix)}
        groups[-1] = "(" + " | ".join(map(quoted, sorted(beginning))) + ")"
    return _Query(" & ".join(groups[-_MOST_WORDS:]), frozenset(wanted), prefix)


def _nearest(session: Session, text: str) -> Iterator[str]:
    """Yield the search with the first word that nothing begins with replaced by the words nearest to it."""
    found = [word.text for word in words(unicodedata.normalize("NFC", text))][:_MOST_WORDS]
    unknown = next((at for at, word in enumerate(found) if not search.beginning(session, word, 1)), None)
    if unknown is not None:
        for near in search.near(session, found[unknown], 3):
            yield " ".join([*found[:unknown], near, *found[unknown + 1 :]])
