"""Writing: events by programs; notes, calls, comments and corrections by people. Nothing is ever edited."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from fastapi import APIRouter, Depends, Path, Request, Response
from msgspec import Meta
from starlette.concurrency import run_in_threadpool
from uuid_utils.compat import uuid7

from activity.catalogue.types.conversations import CallCompleted, CommentAdded, NoteAdded
from activity.errors import InvalidEvent
from activity.event import Event, RecordedEvent
from activity.validation import check_correction, check_outsider
from api.access.callers import Caller
from api.access.limits import Writer
from api.access.viewers import held_back, viewer_of
from api.http.encoding import answers, body, decode, fault, json_response, raw_body, schema, takes
from api.http.problems import Problem, invalid
from api.http.turns import in_turn
from api.log import batch, receipts
from api.log.batch import MAX_EVENTS
from api.log.cloudevents import CloudEventIn, fields_of
from api.log.filters import Name
from api.log.receipts import Receipt, Receipts, Untimed, answer, emit, wait_of
from api.log.wire import CLOUDEVENT, CLOUDEVENTS
from db.engine import begin
from feed.reading import visible

router = APIRouter(prefix="/v1", tags=["writing"])

AccountId = Annotated[Name, Path(description="The account")]
Moment = Annotated[datetime, Meta(tz=True)]


class EventIn(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """An event to emit, about an account, a contact or a record.

    However often an event is sent with the same `event_id`, it is stored once.
    """

    type: str
    payload: dict[str, Any]
    event_id: UUID | None = None
    account_id: str | None = None
    contact_id: str | None = None
    record_type: str | None = None
    record_id: str | None = None
    occurred_at: Moment | None = None
    actor: str | None = None
    source: str | None = None
    cause_id: UUID | None = None
    version: int = 1


def _list_of(kind: type[msgspec.Struct]) -> dict[str, object]:
    return {"type": "array", "maxItems": MAX_EVENTS, "items": schema(kind)}


_WRITTEN = answers(Receipt, 201, "Durable", 404, 413, 415) | answers(
    Receipt, 200, "It was emitted before", 404, 413, 415
)
_POST = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": {"anyOf": [schema(EventIn), _list_of(EventIn)]}},
            CLOUDEVENT: {"schema": schema(CloudEventIn)},
            CLOUDEVENTS: {"schema": _list_of(CloudEventIn)},
        },
    }
}
_LISTED: dict[int | str, dict[str, object]] = {
    200: {
        "description": "A list's receipts, or it was emitted before",
        "content": {"application/json": {"schema": {"anyOf": [schema(Receipt), schema(Receipts)]}}},
    }
}


@router.post("/events", status_code=201, responses=_WRITTEN | _LISTED, openapi_extra=_POST)
async def post_events(request: Request, caller: Writer) -> Response:
    """Emit one event, or a list of up to 500, each of which gets its own receipt."""
    media_type = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if media_type not in ("application/json", CLOUDEVENT, CLOUDEVENTS):
        raise Problem("unsupported-media-type", f"{media_type!r:.80} is not accepted here")
    raw = await raw_body(request)
    kind: type[EventIn | CloudEventIn] = EventIn if media_type == "application/json" else CloudEventIn
    key = receipts.key_of(request)
    if raw.lstrip()[:1] != b"[":
        batch.check_size(raw)
        event = _event(caller, decode(raw, kind), key)
        return answer(request, (await emit(caller, [event], wait_of(request)))[0])
    listed = await in_turn(caller.tenant, _items, caller, raw, kind, key)
    answers = await emit(caller, listed, wait_of(request))
    return json_response(Receipts(answers), 200, receipts.headers_of(request))


def _items(
    caller: Caller, raw: bytes, kind: type[EventIn | CloudEventIn], key: str | None
) -> list[Event | Receipt]:
    return [_item(caller, item, kind, key, place) for place, item in enumerate(batch.items(raw))]


def _item(
    caller: Caller, item: msgspec.Raw, kind: type[EventIn | CloudEventIn], key: str | None, place: int
) -> Event | Receipt:
    """Return an event of a list, or the receipt that refuses it."""
    try:
        batch.check_size(item)
        return _event(caller, msgspec.json.decode(item, type=kind), key, place)
    except msgspec.ValidationError as error:
        return Receipt(None, "invalid", None, receipts.ItemProblem(str(error), fault(error)["pointer"]))
    except InvalidEvent as error:
        return receipts.refused(error)
    except Problem as problem:
        pointer = "#/" if problem.slug == "too-large" else "#/actor"
        return Receipt(None, "invalid", None, receipts.ItemProblem(problem.detail, pointer))


def _event(caller: Caller, given: EventIn | CloudEventIn, key: str | None, place: int | None = None) -> Event:
    fields = fields_of(given) if isinstance(given, CloudEventIn) else msgspec.structs.asdict(given)
    if fields["event_id"] is None:
        fields["event_id"] = receipts.event_id(caller, key, place) if key else None
    fields["actor"] = _actor(caller, fields["actor"])
    fields["source"] = fields["source"] or "api"
    if caller.is_user and fields["source"] not in ("api", "manual"):
        raise InvalidEvent("source", "a user is not this producer", "leave it out, or give 'manual'")
    kind = Untimed if fields["occurred_at"] is None else Event
    event = kind(
        tenant_id=caller.tenant, **{name: value for name, value in fields.items() if value is not None}
    )
    if event.type == "event.corrected":
        raise InvalidEvent(
            "type", "a correction is checked against what it corrects", "POST /v1/events/{id}/corrections"
        )
    check_outsider(event)
    return event


def _actor(caller: Caller, named: str | None) -> str:
    """Return who acts: a user always as themselves, a program as whomever it names."""
    if named is not None and named != caller.actor and caller.is_user:
        raise Problem("forbidden", f"{caller.actor} acts as themselves, not as {named!r:.80}")
    return named or caller.actor


# --- what people write on an account ---


ContactId = Annotated[str, Meta(min_length=1, max_length=320)]
Actor = Annotated[str, Meta(max_length=320)]


class NoteIn(NoteAdded, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """A note on an account."""

    contact_id: ContactId | None = None
    occurred_at: Moment | None = None
    actor: Actor | None = None


class CallIn(CallCompleted, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """A call with an account; `missed` if it was not answered."""

    missed: bool = False
    contact_id: ContactId | None = None
    occurred_at: Moment | None = None
    actor: Actor | None = None


class CommentIn(CommentAdded, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """A comment on an account, or on an event of it."""

    contact_id: ContactId | None = None
    occurred_at: Moment | None = None
    actor: Actor | None = None


@router.post("/accounts/{account_id}/notes", status_code=201, responses=_WRITTEN, openapi_extra=takes(NoteIn))
async def add_note(
    request: Request, caller: Writer, account_id: AccountId, note: Annotated[NoteIn, Depends(body(NoteIn))]
) -> Response:
    """Write a note on an account."""
    return await _write(request, caller, "note.added", "note", account_id, note)


@router.post("/accounts/{account_id}/calls", status_code=201, responses=_WRITTEN, openapi_extra=takes(CallIn))
async def log_call(
    request: Request, caller: Writer, account_id: AccountId, call: Annotated[CallIn, Depends(body(CallIn))]
) -> Response:
    """Log a call."""
    return await _write(
        request, caller, "call.missed" if call.missed else "call.completed", "call", account_id, call
    )


@router.post(
    "/accounts/{account_id}/comments", status_code=201, responses=_WRITTEN, openapi_extra=takes(CommentIn)
)
async def add_comment(
    request: Request,
    caller: Writer,
    account_id: AccountId,
    comment: Annotated[CommentIn, Depends(body(CommentIn))],
) -> Response:
    """Comment on an account, or on an event of it."""
    return await _write(request, caller, "comment.added", "comment", account_id, comment)


async def _write(
    request: Request,
    caller: Caller,
    type_: str,
    record_type: str,
    account_id: str,
    written: NoteIn | CallIn | CommentIn,
) -> Response:
    payload = msgspec.to_builtins(written)
    for name in ("contact_id", "occurred_at", "actor", "missed"):
        payload.pop(name, None)
    key = receipts.key_of(request)
    event_id = receipts.event_id(caller, key) if key else uuid7()
    event = (Untimed if written.occurred_at is None else Event)(
        tenant_id=caller.tenant,
        type=type_,
        payload=payload,
        source="manual",
        actor=_actor(caller, written.actor),
        account_id=account_id,
        contact_id=written.contact_id,
        record_type=record_type,
        record_id=str(event_id),
        event_id=event_id,
        **_when(written.occurred_at),
    )
    return answer(request, (await emit(caller, [event], wait_of(request)))[0])


def _when(moment: datetime | None) -> dict[str, Any]:
    return {} if moment is None else {"occurred_at": moment}


# --- corrections ---


class CorrectionIn(msgspec.Struct, forbid_unknown_fields=True):
    """What is right instead, as payload fields; or that it never happened."""

    correct: dict[str, Any] | None = None
    retracted: bool = False
    reason: Annotated[str, Meta(max_length=4000)] | None = None


@router.post(
    "/events/{event_id}/corrections", status_code=201, responses=_WRITTEN, openapi_extra=takes(CorrectionIn)
)
async def correct_event(
    request: Request,
    caller: Writer,
    event_id: UUID,
    correction: Annotated[CorrectionIn, Depends(body(CorrectionIn))],
) -> Response:
    """Correct an event: with a new event that points at it. The old one stays."""
    if not correction.retracted and not correction.correct:
        raise Problem(
            "invalid",
            "nothing is corrected",
            [{"pointer": "#/correct", "detail": "give the right fields, or retracted"}],
        )
    wrong = await run_in_threadpool(_find, caller, event_id)
    try:
        check_correction(wrong, None if correction.retracted else correction.correct)
    except InvalidEvent as error:
        raise Problem("invalid", str(error), [invalid(error)]) from None
    key = receipts.key_of(request)
    event = Untimed(
        tenant_id=caller.tenant,
        type="event.corrected",
        payload=_correction(wrong, correction),
        source="manual",
        actor=caller.actor,
        account_id=wrong.account_id,
        contact_id=wrong.contact_id,
        record_type="event",
        record_id=str(event_id),
        cause_id=event_id,
        event_id=receipts.event_id(caller, key) if key else uuid7(),
    )
    return answer(request, (await emit(caller, [event], wait_of(request)))[0])


def _find(caller: Caller, event_id: UUID) -> RecordedEvent:
    """Return the event that is to be corrected, of which more than the fact of it must be known."""
    with begin("reader", caller.tenant) as session:
        found = visible.get(session, caller.tenant, event_id, viewer_of(caller))
    if found is None:
        raise Problem("not-found", f"this workspace has no event {event_id}")
    if found.held_back:
        raise held_back()
    return found.event


def _correction(wrong: RecordedEvent, given: CorrectionIn) -> Mapping[str, object]:
    payload = {"event_id": str(wrong.event_id), "event_type": wrong.type, **msgspec.structs.asdict(given)}
    return {name: value for name, value in payload.items() if value not in (None, False)}
