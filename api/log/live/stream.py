"""GET /v1/stream: what is recorded, as it is recorded, as server-sent events.

A raw ASGI response for each client, fed by the hub.
"""

import asyncio
import random
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any
from uuid import UUID

import msgspec
from fastapi import APIRouter, Header, Query, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.types import Receive, Scope, Send

from activity.catalogue import CATALOGUE
from activity.reading.visibility import EVERYTHING
from activity.settings import settings
from api.access.callers import Caller, Reader, authenticate
from api.access.viewers import viewer_of
from api.http.encoding import encode, problem_answer, schema
from api.http.problems import Problem
from api.log.filters import Filters, Locale
from api.log.live.frames import Item
from api.log.live.hub import RESETS, STREAMS, Channel, Hub, Watcher, beat_s
from api.log.wire import EventOut, position, read_position
from db.engine import begin
from db.log.reading.filter import Predicate, accounts_beneath
from feed.position import EpochChanged

router = APIRouter(prefix="/v1", tags=["stream"])

_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # else a proxy may keep the events to itself
]
_AT_ONCE = 100  # events in one piece of the body

_FRAMES = {
    "description": "Frames: hello, events without a name, changed, hb, reset, bye",
    "content": {
        "text/event-stream": {
            "itemSchema": {
                "type": "object",
                "properties": {
                    "id": {"type": "string", "description": "The position after the event: <epoch>-<seq>"},
                    "event": {
                        "enum": ["hello", "changed", "hb", "reset", "bye"],
                        "description": "Absent for an event of the log",
                    },
                    "retry": {"type": "integer"},
                    "data": {
                        "type": "string",
                        "contentMediaType": "application/json",
                        "contentSchema": schema(EventOut),
                    },
                },
            }
        }
    },
}


@router.get(
    "/stream",
    response_class=Response,
    responses={200: _FRAMES, **{code: problem_answer(code) for code in (400, 401, 403, 422, 429, 503)}},
)
async def stream(
    request: Request,
    caller: Reader,
    filters: Annotated[Filters, Query()],
    locale: Locale = "en",
    last_event_id: Annotated[
        str | None,
        Query(max_length=100, description="A position, or 'earliest'; the header Last-Event-ID wins"),
    ] = None,
    header: Annotated[str | None, Header(alias="Last-Event-ID", max_length=100)] = None,
) -> Response:
    """Follow the log from a position, or from now; nothing is missed and nothing comes twice."""
    hub: Hub = request.app.state.hub
    if hub.closing:
        raise Problem("unavailable", "this server is stopping", headers={"Retry-After": "1"})
    passes = await run_in_threadpool(_passing, caller.tenant, filters) if _filtered(filters) else None
    channel = await hub.channel(caller.tenant)
    still = partial(_still_allowed, request, caller)
    return StreamResponse(hub, channel, caller, passes, locale[:2].lower(), header or last_event_id, still)


def _filtered(filters: Filters) -> bool:
    return any(value is not None for value in vars(filters).values())


async def _still_allowed(request: Request, caller: Caller) -> bool:
    """Return whether the credential still holds: its key was not revoked, its session not ended."""
    if caller.expires_at is not None and caller.expires_at <= time.time():
        return False
    if caller.is_user and caller.session_id is None:  # a token, which holds until its end
        return True
    try:
        await authenticate(request)
    except Problem:
        return False
    return True


class StreamResponse(Response):
    """One client's stream."""

    def __init__(
        self,
        hub: Hub,
        channel: Channel,
        caller: Caller,
        passes: Predicate | None,
        locale: str,
        after: str | None,
        still: Callable[[], Any],
    ) -> None:
        self.status_code, self.background, self.raw_headers = 200, None, _HEADERS
        self._hub, self._channel, self._caller = hub, channel, caller
        self._name = (caller.tenant, caller.name)
        self._viewer = EVERYTHING  # as whom private events are seen: asked as soon as there is one
        self._readers_since = channel.readers_since
        self._passes, self._locale, self._after, self._still = passes, locale, after, still
        self._watcher = Watcher()
        self._epoch: UUID
        self._seq: int

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send frames until the client goes or the server stops."""
        watcher, channel = self._watcher, self._channel
        self._count()
        channel.watchers.add(watcher)
        STREAMS.inc()
        gone = asyncio.create_task(_until_gone(receive, watcher))
        try:
            await send({"type": "http.response.start", "status": 200, "headers": list(_HEADERS)})
            send = scope["state"].get("send", send)  # what lies around it only looked at the start
            reset = await self._begin()
            await _write(send, self._hello(reset is None and self._after is not None))
            if reset is not None:
                await _write(send, self._reset(reset))
            reason = await self._follow(send)
            if reason is not None:
                bye = _frame("bye", {"reason": reason, "retry_ms": _jitter(500, 4000)})
                await send({"type": "http.response.body", "body": bye, "more_body": False})
        finally:
            gone.cancel()
            channel.watchers.discard(watcher)
            self._hub.open_by[self._name] -= 1
            STREAMS.dec()

    def _count(self) -> None:
        """Count this stream for its caller. Raises the problem too-many-streams."""
        most = settings().streams_per_user
        if self._hub.open_by[self._name] >= most:
            raise Problem(
                "too-many-streams", f"{most} streams are open already", headers={"Retry-After": "5"}
            )
        self._hub.open_by[self._name] += 1

    async def _begin(self) -> str | None:
        """Find the place to begin at; return why it is not the one that was named, if so."""
        at = self._channel.position
        self._epoch, self._seq = at.epoch, at.seq
        if self._after is None:
            return None
        if self._after == "earliest":
            self._seq = 0
            return None
        named = read_position(self._after)
        if named is None:
            return "position_unknown"
        if (
            named[0] == at.epoch and named[1] > at.seq
        ):  # another process may have told of an event before it came here
            await self._hub.recover(self._channel)
            at = self._channel.position
        if named != (at.epoch, min(named[1], at.seq)):
            return "epoch_changed" if named[0] != at.epoch else "position_unknown"
        self._seq = named[1]
        return None

    async def _follow(self, send: Send) -> str | None:
        """Send what is recorded; return why the stream ends, or None when the client is gone."""
        silent_s = settings().stream_heartbeat_s - beat_s() / 2
        sent = asked = time.monotonic()
        while not self._watcher.gone:
            if self._hub.closing:
                return "shutdown"
            if time.monotonic() - asked >= beat_s() / 2:  # however much there is to send
                if not await self._still():
                    return "auth_expired"
                asked = time.monotonic()
            if self._channel.position.epoch != self._epoch:
                await _write(send, self._reset("epoch_changed"))
            if self._channel.readers_since != self._readers_since:
                self._readers_since = self._channel.readers_since
                await _write(send, self._reset("readers_changed"))
            items = await self._next()
            if any(item.is_private for item in items):
                self._viewer = await run_in_threadpool(viewer_of, self._caller)
            frames = self._frames(items)
            if frames:
                await _write(send, frames)
                sent = time.monotonic()
            elif time.monotonic() - sent >= silent_s:
                await _write(send, _frame("hb", {"position": self._position}, self._position))
                sent = time.monotonic()
            if not items and not self._ending() and self._seq >= self._channel.position.seq:
                await self._watcher.sleep()
        return None

    def _ending(self) -> bool:
        return self._watcher.gone or self._hub.closing

    async def _next(self) -> list[Item]:
        """Return the events that come next, from what is kept or else from the log, and move past them."""
        items = self._channel.since(self._seq, _AT_ONCE)
        if items is None:
            async with self._hub.reads:
                try:
                    items = await run_in_threadpool(self._channel.read, self._seq, self._epoch)
                except EpochChanged:
                    await self._hub.recover(self._channel)
                    return []
        if items:
            self._seq = items[-1].event.seq
        return items

    def _frames(self, items: Iterable[Item]) -> bytes:
        return b"".join([frame for item in items for frame in self._frames_of(item)])

    def _frames_of(self, item: Item) -> Iterator[bytes]:
        passes = self._passes
        for one in item.changed:  # before what moves the position: who is cut off between has it again
            if passes is None or passes(one.event):
                yield one.changed_frame(self._locale, self._viewer)
        if passes is None or passes(item.event):
            yield item.frame(self._epoch, self._locale, self._viewer)

    @property
    def _position(self) -> str:
        return position(self._epoch, self._seq)

    def _hello(self, recovered: bool) -> bytes:
        position = {
            "position": self._position,
            "recovered": recovered,
            "heartbeat_s": settings().stream_heartbeat_s,
            "server_time": datetime.now(UTC),
        }
        return b"retry: %d\n" % _jitter(2000, 6000) + _frame("hello", position)

    def _reset(self, reason: str) -> bytes:
        RESETS.inc()
        self._epoch, self._seq = self._channel.position.epoch, self._channel.position.seq
        return _frame("reset", {"reason": reason, "position": self._position}, self._position)


def _jitter(low: int, high: int) -> int:
    return random.randrange(low, high)  # noqa: S311  # it spreads reconnections; nothing depends on its secrecy


def _frame(name: str, data: dict[str, object], place: str | None = None) -> bytes:
    return b"".join(
        (
            b"" if place is None else b"id: %b\n" % place.encode(),
            b"event: %b\ndata: %b\n\n" % (name.encode(), encode(data)),
        )
    )


async def _write(send: Send, body: bytes) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": True})


async def _until_gone(receive: Receive, watcher: Watcher) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    watcher.leave()


def _passing(tenant: int, filters: Filters) -> Predicate:
    """Return the function that tells whether an event passes; the accounts beneath one are those of now."""
    with begin("reader", tenant) as session:
        which = filters.which(session, tenant)
        accounts = accounts_beneath(session, tenant, which)
    passes = which.predicate(accounts)
    prefixes = filters.prefixes
    if not prefixes:
        return passes
    of_any_type = msgspec.structs.replace(which, types=()).predicate(accounts)
    # A workspace's own type that is new since the stream began is known by its prefix alone.
    return lambda event: (
        of_any_type(event)
        if event.type not in CATALOGUE and event.type.startswith(prefixes)
        else passes(event)
    )
