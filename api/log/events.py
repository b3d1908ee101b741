"""Reading: pages of the feed, one event with its causes and effects, counts, the catalogue."""

import hashlib
from collections.abc import Iterable
from functools import lru_cache
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from fastapi import APIRouter, Query, Request, Response
from msgspec import Meta
from pydantic import AwareDatetime, Field
from sqlalchemy.orm import Session

from activity.catalogue import CATALOGUE, Category
from activity.event import RecordedEvent
from activity.reading.visibility import Viewer
from api.access.callers import Reader
from api.access.viewers import viewer_of
from api.http.encoding import answers, encode, json_response
from api.http.problems import Problem
from api.log import wire
from api.log.filters import Filters, Locale, moment
from api.log.page_cache import CachingRoute, store
from api.log.wire import CLOUDEVENT, CLOUDEVENTS, EventOut, TypeOut, cloud_event, encoded, event_out
from db.engine import begin
from db.log import heads
from db.log.reading import by_seq, counts, fates, lineage
from db.log.reading.filter import Filter
from db.records import records
from feed import pages
from feed.cursor import InvalidCursor
from feed.reading.visible import readable

router = APIRouter(prefix="/v1", tags=["reading"])

_UNCHANGED: dict[int | str, dict[str, Any]] = {304: {"description": "Nothing changed since"}}
_HEADERS = {"Cache-Control": "private, no-cache", "Vary": "Authorization, Cookie, Accept"}
_CATEGORIES = {category.value for category in Category} | {wire.OTHER}
_MANY = 1_000  # counted exactly up to here


class Names(msgspec.Struct):
    """The names that records have now, by id."""

    accounts: dict[str, str]
    contacts: dict[str, str]


class StreamPosition(msgspec.Struct):
    """Where the log stood before the rows were read: open the stream from here."""

    position: str


class EventPage(msgspec.Struct):
    """A page of events. Go on with `next_cursor` while `has_more`."""

    data: list[EventOut]
    has_more: bool
    next_cursor: str | None
    looked_to: Annotated[str, Meta(extra_json_schema={"format": "date-time"})] | None
    stream: StreamPosition
    names: Names | None = None


class EventDetail(msgspec.Struct):
    """An event with its causes, its effects, and what corrects it, judges it, or retracts that."""

    event: EventOut
    hash: str
    causes: list[EventOut]
    effects: list[EventOut]
    corrections: list[EventOut]
    stream: StreamPosition


class Counts(msgspec.Struct):
    """How many events there are, by category; where `complete` is false there are more than were counted.

    `bounded` names the categories that may have more. `beneath` is how many an account's Hierarchy tab
    has, counted up to 1,000; null where no account is asked for.
    """

    counts: dict[str, int]
    total: int
    complete: bool
    bounded: list[str]
    beneath: int | None


class Types(msgspec.Struct):
    """The catalogue of built-in types."""

    data: list[TypeOut]


newest = APIRouter(route_class=CachingRoute)


class PageQuery(Filters):
    """Which page of the feed is wanted, in query parameters."""

    since: AwareDatetime | None = None
    until: AwareDatetime | None = None
    order: Literal["occurred", "recorded"] = "occurred"
    as_of: Annotated[int | None, Field(ge=0, le=2**63 - 1)] = None
    around: UUID | None = None
    after: Annotated[str | None, Field(max_length=64)] = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    cursor: Annotated[str | None, Field(max_length=200)] = None
    include: Literal["names"] | None = None
    locale: Locale = "en"

    @property
    def newest(self) -> bool:
        """Whether this is the first page of a list."""
        return self.cursor is None and self.around is None and self.after is None


@newest.get("/events", responses=answers(EventPage, 200, "A page", 404, 406) | _UNCHANGED)
def list_events(request: Request, caller: Reader, query: Annotated[PageQuery, Query()]) -> Response:
    """List events that pass the filters, the newest first.

    With `after`, list what is newer than a position, the oldest first.
    """
    cloud, viewer = _wants_cloud_events(request), viewer_of(caller)
    with begin("reader", caller.tenant) as session:
        head = heads.head(session, caller.tenant)
        asked = str(sorted(request.query_params.multi_items()))
        tag = _tag(caller.tenant, head.epoch, head.seq, asked, cloud, _people(viewer))
        if query.newest and tag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers={"ETag": tag, "Cache-Control": "private, no-cache"})
        which = query.which(
            session, caller.tenant, since=moment(query.since), until=moment(query.until), as_of=query.as_of
        )
        listing = _list(session, caller.tenant, which, query, head)
        found = readable(session, caller.tenant, listing.events, query.as_of)
        names = names_in(session, caller.tenant, listing.events) if query.include else None
    headers = _headers(
        request, tag if query.newest else None, None if query.after is not None else listing.cursor
    )
    shown = [one.by(viewer) for one in found]
    if cloud:
        return json_response([cloud_event(*one) for one in shown], 200, headers, CLOUDEVENTS)
    page = {
        "data": [encoded(*one, query.locale) for one in shown],
        "has_more": listing.cursor is not None,
        "next_cursor": listing.cursor,
        "looked_to": listing.looked_to,
        "stream": {"position": wire.position(head.epoch, head.seq)},
        "names": names,
    }
    response = json_response(page, 200, headers)
    if query.newest and names is None and which.beneath is None and all(one.readers is None for one in found):
        # what the log alone decides, and everybody may read
        store(request, caller.tenant, head, response)
    return response


def _headers(request: Request, tag: str | None, cursor: str | None) -> dict[str, str]:
    headers = dict(_HEADERS) if tag is None else _HEADERS | {"ETag": tag}
    if cursor is not None:
        headers["Link"] = f'<{request.url.include_query_params(cursor=cursor)}>; rel="next"'
    return headers


def _list(session: Session, tenant: int, which: Filter, query: PageQuery, head: heads.Head) -> pages.Page:
    try:
        if query.after is not None:
            return pages.after(session, tenant, which, _place(query.after, head), query.limit)
        if query.around is not None:
            return pages.around(session, tenant, which, _event(session, tenant, query.around), query.limit)
        return (pages.by_recorded if query.order == "recorded" else pages.by_occurred)(
            session, tenant, which, query.cursor, query.limit
        )
    except InvalidCursor as error:
        raise Problem("cursor-mismatch", str(error)) from None


def _place(after: str, head: heads.Head) -> int:
    place = wire.read_position(after)
    if place is None or place[0] != head.epoch:
        raise Problem(
            "bad-request", "'after' is not a position of this log: read the list again and use its position"
        )
    return place[1]


def _event(session: Session, tenant: int, event_id: UUID) -> RecordedEvent:
    found = by_seq.get(session, tenant, event_id)
    if found is None:
        raise Problem("not-found", f"this workspace has no event {event_id}")
    return found


def names_in(session: Session, tenant: int, shown: Iterable[RecordedEvent]) -> Names:
    """Return the names of the accounts and contacts of some events."""
    shown = list(shown)
    accounts = {event.account_id for event in shown if event.account_id}
    contacts = {event.contact_id for event in shown if event.contact_id}
    return Names(
        dict(records.names(session, tenant, records.Account, accounts)),
        dict(records.names(session, tenant, records.Contact, contacts)),
    )


def _people(viewer: Viewer) -> list[str] | None:
    return None if viewer.people is None else sorted(viewer.people)


def _tag(*parts: Any) -> str:
    return f'"{hashlib.sha256(repr(parts).encode()).hexdigest()[:24]}"'


def _wants_cloud_events(request: Request) -> bool:
    """Return whether CloudEvents are asked for. Raises the problem not-acceptable."""
    accepted = {
        part.partition(";")[0].strip().lower() for part in request.headers.get("accept", "*/*").split(",")
    }
    if accepted & {"application/json", "application/*", "*/*", ""}:
        return bool(accepted & {CLOUDEVENT, CLOUDEVENTS}) and "application/json" not in accepted
    if accepted & {CLOUDEVENT, CLOUDEVENTS}:
        return True
    raise Problem("not-acceptable", "this is available as application/json or application/cloudevents+json")


router.include_router(newest)


class CountQuery(Filters):
    """What is counted: the list's own filters."""

    since: AwareDatetime | None = None
    until: AwareDatetime | None = None


@router.get("/events/counts", responses=answers(Counts))
def count_events(caller: Reader, query: Annotated[CountQuery, Query()]) -> Response:
    """Count, by category, the events that a list with the same filters has."""
    with begin("reader", caller.tenant) as session:
        which = query.which(session, caller.tenant, since=moment(query.since), until=moment(query.until))
        found = counts.passing(session, caller.tenant, which, _MANY)
        beneath = None
        if query.account is not None:
            beneath = counts.beneath(session, caller.tenant, query.account, _MANY)
    tally: dict[str, int] = {}
    for name, number in found.events.items():
        tally[_category(name)] = tally.get(_category(name), 0) + number
    bounded = _CATEGORIES if found.bounded is None else {_category(name) for name in found.bounded}
    return json_response(Counts(tally, sum(tally.values()), not bounded, sorted(bounded), beneath))


def _category(type_: str) -> str:
    return CATALOGUE[type_].category.value if type_ in CATALOGUE else wire.OTHER


@router.get("/events/{event_id}", responses=answers(EventDetail, 200, "The event", 404, 406) | _UNCHANGED)
def get_event(request: Request, caller: Reader, event_id: UUID, locale: Locale = "en") -> Response:
    """Return one event, with its causes up and down, and its hash in the chain."""
    cloud, viewer = _wants_cloud_events(request), viewer_of(caller)
    with begin("reader", caller.tenant) as session:
        head = heads.head(session, caller.tenant)
        tag = _tag(caller.tenant, head.epoch, head.seq, event_id, locale, cloud, _people(viewer))
        headers = _HEADERS | {"ETag": tag}
        if tag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        event = _event(session, caller.tenant, event_id)
        causes = lineage.causes(session, caller.tenant, event_id)
        effects = lineage.effects(session, caller.tenant, event_id)
        corrections = fates.later(session, caller.tenant, [event])
        found = readable(session, caller.tenant, [event, *causes, *effects, *corrections])
        digest = by_seq.chain_hash(session, caller.tenant, event.seq)

    seen = {one.event.event_id: one.by(viewer) for one in found}

    def out(*events: RecordedEvent) -> list[EventOut]:
        return [event_out(*seen[one.event_id], locale) for one in events]

    if cloud:
        return json_response(cloud_event(*seen[event_id]), 200, headers, CLOUDEVENT)
    detail = EventDetail(
        event=out(event)[0],
        hash=digest.hex(),
        causes=out(*causes),
        effects=out(*(one for one in effects if one not in corrections)),
        corrections=out(*corrections),
        stream=StreamPosition(wire.position(head.epoch, head.seq)),
    )
    return json_response(detail, 200, headers)


@router.get("/types", responses=answers(Types))
def list_types(caller: Reader, locale: Locale = "en") -> Response:
    """Return the catalogue of built-in types, with the JSON Schema of each payload."""
    return Response(
        _types(locale[:2].lower()),
        media_type="application/json",
        headers={"Cache-Control": "private, max-age=3600"},
    )


@lru_cache(8)
def _types(code: str) -> bytes:
    return encode(Types(wire.types_out(code)))
