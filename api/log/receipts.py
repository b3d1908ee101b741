"""How a write is answered: its events are emitted, and each gets a receipt."""

import asyncio
import re
import time
from collections.abc import Sequence
from typing import Literal, NamedTuple
from uuid import UUID, uuid5

import msgspec
from fastapi import Request, Response
from starlette.concurrency import run_in_threadpool

from activity.canonical import canonical
from activity.errors import InvalidEvent
from activity.event import Event, RecordedEvent
from activity.validation import encode
from api.access.callers import Caller
from api.http.encoding import json_response
from api.http.problems import Problem, invalid
from api.http.turns import in_turn
from db.engine import begin
from db.log.reading import by_seq
from worker.emit import emit_encoded

# The namespace of Idempotency-Keys: with another one every key used before would be new.
_KEYS = UUID("6f2d1a3e-64a4-5d0c-9a51-0c8f2f6f7a10")
_LONGEST_WAIT_S = 5.0
_PREFERENCE = re.compile(r"(?:^|[,;\s])wait\s*=\s*(\d+)")


# What makes a write besides its payload and time: under another of these it is another write.
_WHOLE = (
    *("type", "version", "actor", "source", "account_id", "contact_id"),
    *("record_type", "record_id", "cause_id"),
)


class Untimed(Event, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An event that happens as it is written, since the writer named no time: a retry of it has another."""


class ItemProblem(msgspec.Struct):
    """Why one event of a list was refused."""

    detail: str
    pointer: str


class Receipt(msgspec.Struct):
    """What became of one event. `seq` is its number, once it has one."""

    event_id: UUID | None
    status: Literal["accepted", "appended", "duplicate", "conflict", "invalid"]
    seq: int | None = None
    problem: ItemProblem | None = None


class Receipts(msgspec.Struct):
    """A receipt for each event of a list, in the order given."""

    receipts: list[Receipt]


def key_of(request: Request) -> str | None:
    """Return the Idempotency-Key without its quotes, or raise the problem that it is not valid."""
    given = request.headers.get("idempotency-key")
    if given is None:
        return None
    key = given[1:-1] if len(given) > 1 and given[0] == given[-1] == '"' else given
    if not 0 < len(key) <= 255 or not key.isascii() or not key.isprintable():
        raise Problem("bad-request", "an Idempotency-Key is 1 to 255 printable ASCII characters in quotes")
    return key


def event_id(caller: Caller, key: str, place: int | None = None) -> UUID:
    """Return the id that a caller's Idempotency-Key always stands for; in a list, with the event's place."""
    return uuid5(_KEYS, f"{caller.tenant}\n{caller.name}\n{key}" + ("" if place is None else f"\n{place}"))


def wait_of(request: Request) -> float:
    """Return for how many seconds the caller is willing to wait for the event's number."""
    preference = _PREFERENCE.search(request.headers.get("prefer", ""))
    return min(float(preference[1]), _LONGEST_WAIT_S) if preference else 0.0


async def emit(caller: Caller, events: Sequence[Event | Receipt], wait: float) -> list[Receipt]:
    """Emit events and return a receipt for each, in order. A Receipt in place of an event refuses it."""
    checked = await in_turn(caller.tenant, _checked, events)
    receipts = await run_in_threadpool(_emit, caller.tenant, checked)
    return await numbered(caller, receipts, events, wait)


async def numbered(
    caller: Caller, receipts: list[Receipt], events: Sequence[Event | Receipt], wait: float
) -> list[Receipt]:
    """Return the receipts of durable events once each has its number, or after `wait` seconds."""
    waiting = [
        (receipt, event) for receipt, event in zip(receipts, events, strict=True) if isinstance(event, Event)
    ]
    deadline, pause = time.monotonic() + wait, 0.01
    while time.monotonic() < deadline and (
        waiting := [pair for pair in waiting if pair[0].status == "accepted"]
    ):
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, 0.1)
        found = await run_in_threadpool(_stored, caller.tenant, [event for _, event in waiting])
        for receipt, event in waiting:
            if event.event_id in found:
                _settle(receipt, event, found[event.event_id], "appended")
    return receipts


class _Valid(NamedTuple):
    """A valid event, its receipt, and the document that the outbox takes."""

    receipt: Receipt
    event: Event
    document: str


def _checked(events: Sequence[Event | Receipt]) -> list[_Valid | Receipt]:
    return [event if isinstance(event, Receipt) else _validate(event) for event in events]


def _emit(tenant: int, checked: Sequence[_Valid | Receipt]) -> list[Receipt]:
    valid = [one for one in checked if isinstance(one, _Valid)]
    found = _stored(tenant, [one.event for one in valid])
    for receipt, event, _ in valid:
        if event.event_id in found:
            _settle(receipt, event, found[event.event_id], "duplicate")
    new = [(tenant, document) for receipt, _, document in valid if receipt.status == "accepted"]
    with begin("producer", tenant) as session:
        emit_encoded(session, new)
    return [one.receipt if isinstance(one, _Valid) else one for one in checked]


def _validate(event: Event) -> _Valid | Receipt:
    try:
        document = encode(event)
    except InvalidEvent as error:
        return refused(error, event.event_id)
    return _Valid(Receipt(event.event_id, "accepted"), event, document)


def _settle(
    receipt: Receipt, event: Event, stored: RecordedEvent, status: Literal["appended", "duplicate"]
) -> None:
    """Complete a receipt: the log holds this very event, whole, or another under the id."""
    receipt.status, receipt.seq = (status, stored.seq) if _is_same(event, stored) else ("conflict", None)


def _is_same(event: Event, stored: RecordedEvent) -> bool:
    payload = bytes(stored.payload)
    return (
        all(getattr(event, name) == getattr(stored, name) for name in _WHOLE)
        and (isinstance(event, Untimed) or event.occurred_at == stored.occurred_at)
        and (payload == b"null" or payload == canonical(event.payload))
    )


def refused(error: InvalidEvent, event_id: UUID | None = None) -> Receipt:
    """Return the receipt of an event that may not enter the log."""
    return Receipt(event_id, "invalid", None, ItemProblem(str(error), invalid(error)["pointer"]))


def _stored(tenant: int, events: Sequence[Event]) -> dict[UUID, RecordedEvent]:
    if not events:
        return {}
    with begin("reader", tenant) as session:
        return by_seq.stored(session, tenant, [event.event_id for event in events])


def answer(request: Request, receipt: Receipt) -> Response:
    """Return the answer to a write of one event, or raise its problem."""
    if receipt.status == "invalid" and receipt.problem is not None:
        raise Problem(
            "invalid",
            receipt.problem.detail,
            [{"pointer": receipt.problem.pointer, "detail": receipt.problem.detail}],
        )
    if receipt.status == "conflict":
        raise Problem(
            "idempotency-key-reused",
            f"event {receipt.event_id} was emitted before with another payload, subject, actor or time",
        )
    headers = headers_of(request) | {"Location": f"/v1/events/{receipt.event_id}"}
    if receipt.status == "duplicate":
        return json_response(receipt, 200, headers | {"Idempotent-Replayed": "true"})
    return json_response(receipt, 201, headers)


def headers_of(request: Request) -> dict[str, str]:
    """Return the headers that the answer to a write of events has of its own."""
    wait = wait_of(request)
    return {"Preference-Applied": f"wait={wait:.0f}"} if wait else {}
