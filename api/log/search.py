"""Search over what events say."""

from datetime import datetime
from typing import Annotated

import msgspec
from fastapi import APIRouter, Query, Response
from pydantic import AwareDatetime, Field

from api.access.callers import Reader
from api.access.viewers import viewer_of
from api.http.encoding import answers, json_response
from api.http.problems import Problem
from api.log.events import Names, names_in
from api.log.filters import Filters, Locale, moment
from api.log.wire import EventOut, event_out
from db.engine import begin
from db.log.reading.feed import FeedKey
from db.search import Hit
from feed.cursor import InvalidCursor, feed_cursor, feed_key
from feed.reading.search import find

router = APIRouter(prefix="/v1", tags=["reading"])


class SearchHit(msgspec.Struct):
    """An event that was found, and a piece of what it says: text (t), and words that were searched (m)."""

    event: EventOut
    excerpt: list[dict[str, str]]


class SearchAnswer(msgspec.Struct):
    """What was found, the newest first. Go on with `next_cursor` while there is one.

    `looked_to`: the page came short, and everything down to this moment was looked at. `instead`: nothing was
    found as it was written, and this was searched.
    """

    data: list[SearchHit]
    next_cursor: str | None
    looked_to: datetime | None
    instead: str | None
    names: Names


class SearchQuery(Filters):
    """What is searched, and in which events."""

    q: Annotated[
        str,
        Field(
            min_length=1,
            max_length=200,
            description="Words that are all to be there; in quotation marks, next to each other; the last "
            "may be the beginning of one",
        ),
    ]
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None
    limit: Annotated[int, Field(ge=1, le=100)] = 50
    cursor: Annotated[str | None, Field(max_length=200)] = None
    locale: Locale = "en"


@router.get("/search", responses=answers(SearchAnswer, 200, "What was found"))
def search_events(caller: Reader, query: Annotated[SearchQuery, Query()]) -> Response:
    """Find events by what they say, the newest first: in any case, with or without accents.

    The index is a second or two behind the log. What is held back from the caller is not found.
    """
    viewer = viewer_of(caller)
    with begin("reader", caller.tenant) as session:
        which = query.which(session, caller.tenant, since=moment(query.since), until=moment(query.until))
        try:
            before = None if query.cursor is None else Hit(*feed_key(query.cursor, caller.tenant, which))
        except InvalidCursor as error:
            raise Problem("cursor-mismatch", str(error)) from None
        page = find(session, caller.tenant, query.q, which, viewer, before, query.limit)
        names = names_in(session, caller.tenant, (one.seen.event for one in page.found))
    cursor = None
    if page.next is not None:
        place = FeedKey(page.next.occurred_at, page.next.seq or 0)
        cursor = feed_cursor(place, caller.tenant, which)
    hits = [SearchHit(event_out(*one.seen, query.locale), one.excerpt) for one in page.found]
    return json_response(SearchAnswer(hits, cursor, page.looked_to, page.instead, names))
