"""The hub: one for each process. It follows the logs that somebody watches, and wakes those who watch.

An event is decoded once and encoded once for each language, whoever watches. Nobody has a queue: a channel
keeps its newest events, each stream keeps its own place, and who falls behind what is kept reads the log
until they have caught up. So a slow reader costs no memory.
"""

import asyncio
from collections import Counter
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import redis
import redis.asyncio
import structlog
from prometheus_client import Counter as Total
from prometheus_client import Gauge
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from activity.catalogue.types.corrections import ERASURES
from activity.event import RecordedEvent
from activity.event_type import Audience
from activity.reading.visibility import changes_readers
from activity.settings import settings
from api.http.supervise import supervise
from api.log.live.frames import Item, is_plain, items_of
from db.engine import begin
from db.log import heads
from db.log.reading import by_seq
from db.records import visibility
from feed.follow import PAGE, read_after
from feed.position import EpochChanged, Position
from feed.reading.visible import Readable
from feed.subscription import Subscription
from worker.process.redis import connect_async

log = structlog.get_logger()

BUFFERED = 1000  # events of a channel that are kept encoded, at the least
_REREAD = ERASURES | {"privacy.contents_changed"}  # after these earlier events read otherwise
_READERS = 8  # reads of the log at the same time: after a restart everybody comes back at once
_BEATS = 16  # the streams are split into so many parts, which are woken one after the other
_BEAT_S = 4.0  # at least so often each stream is woken, to ask whether its credential still holds
# How often the hub looks by itself whether it missed something; every second while Redis is away.
_LOOK_S = 5.0
_SILENT_S = 6.0  # a server that does not answer a ping for so long is connected to anew

STREAMS = Gauge("activity_streams", "Open streams")
RESETS = Total("activity_stream_resets_total", "Streams that were told to begin anew")


def beat_s() -> float:
    """Return the seconds between two moments at which a stream is woken, whatever happens in its log."""
    return min(_BEAT_S, settings().stream_heartbeat_s)


class Watcher:
    """An open stream, as the hub sees it: somebody to wake."""

    __slots__ = ("_wake", "gone")

    def __init__(self) -> None:
        self._wake: asyncio.Future[None] | None = None
        self.gone = False

    async def sleep(self) -> None:
        """Return when there may be something to do."""
        self._wake = asyncio.get_running_loop().create_future()
        await self._wake

    def wake(self) -> None:
        """End the sleep, if this sleeps."""
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    def leave(self) -> None:
        """Note that the client is gone."""
        self.gone = True
        self.wake()


class Channel:
    """One workspace's log as this process follows it.

    Where it stands, and its newest events without a gap.
    """

    def __init__(self, tenant: int) -> None:
        self.tenant = tenant
        self.watchers: set[Watcher] = set()
        self.position: Position
        self.readers_since = 0  # the last event that changed who may read what others hold
        self._policy = Audience.PARTICIPANTS
        self._buffer: list[Item] = []
        self._reading = asyncio.Lock()
        self._behind = False

    async def open(self) -> None:
        """Find out where the log stands, and keep its newest events.

        Those who were cut off just now ask for them.
        """
        head, newest = await run_in_threadpool(self._newest)
        self.position = Position(self.tenant, head.epoch, newest[-1].event.seq if newest else head.seq)
        self._buffer = newest

    def _newest(self) -> tuple[heads.Head, list[Item]]:
        with begin("reader", self.tenant) as session:
            head = heads.head(session, self.tenant)
            newest = by_seq.after(session, self.tenant, max(0, head.seq - BUFFERED), 2 * BUFFERED).events
            return head, self._items(session, newest)

    def since(self, seq: int, limit: int) -> list[Item] | None:
        """Return the events after `seq`, up to `limit`; none where this stands there.

        None where they are not kept any more.
        """
        if seq >= self.position.seq:
            return []
        if not self._buffer or self._buffer[0].event.seq > seq + 1:
            return None
        start = seq + 1 - self._buffer[0].event.seq
        return self._buffer[start : start + limit]

    def hear(self, body: bytes) -> bool:
        """Take an authentic message; return whether nothing is missing. Raises EpochChanged.

        What a correction corrects, and who may read what quotes another, is read in the log.
        """
        at = self.position.seq
        events = self.position.hear(body)
        if events and not all(is_plain(event, self._policy) for event in events):
            self.position.seq = at
            return False
        if events:
            self._push([Item(Readable(event)) for event in events])
        return events is not None

    async def catch_up(self) -> None:
        """Read what is missing from the log. Raises EpochChanged."""
        self._behind = True
        async with self._reading:
            while self._behind:
                self._behind = False
                page = await run_in_threadpool(self.read, self.position.seq, self.position.epoch)
                fresh = [
                    item for item in page if item.event.seq > self.position.seq
                ]  # a message may have come meanwhile
                if fresh:
                    self.position.seq = fresh[-1].event.seq
                    self._push(fresh)
                self._behind |= len(page) == PAGE

    def read(self, seq: int, epoch: UUID) -> list[Item]:
        """Return the page of the log after `seq`. Raises EpochChanged."""
        events = read_after(self.tenant, seq, epoch)
        with begin("reader", self.tenant) as session:
            return self._items(session, events)

    def _items(self, session: Session, events: Sequence[RecordedEvent]) -> list[Item]:
        self._policy = visibility.contents(session, self.tenant)
        return items_of(session, self.tenant, events)

    def _push(self, fresh: list[Item]) -> None:
        self.readers_since = max(
            (item.event.seq for item in fresh if changes_readers(item.event)), default=self.readers_since
        )
        if any(item.changed or item.event.type in _REREAD for item in fresh):
            self._buffer.clear()  # what reads otherwise now is forgotten: who falls behind reads the log
        self._buffer += fresh
        if len(self._buffer) > 2 * BUFFERED:
            del self._buffer[:-BUFFERED]
        self.wake()

    def wake(self) -> None:
        """Wake everybody who watches."""
        for watcher in self.watchers:
            watcher.wake()


class Hub:
    """The channels of this process, and the one subscription that feeds them."""

    def __init__(self) -> None:
        self.closing = False
        self.reads = asyncio.Semaphore(_READERS)
        self.open_by: Counter[tuple[int, str]] = Counter()
        self._channels: dict[int, asyncio.Task[Channel]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._subscribed = asyncio.Event()

    async def channel(self, tenant: int) -> Channel:
        """Return the channel of a workspace: the first who asks makes it, once the subscription stands."""
        if not self._tasks:
            for work in (self._listen, self._beat, self._look):
                self._start(supervise(work.__name__.strip("_"), work, 0.5))
        if not self._subscribed.is_set():
            with suppress(TimeoutError):  # without Redis the log is looked at every second
                await asyncio.wait_for(self._subscribed.wait(), 1)
        opening = self._channels.get(tenant)
        if opening is None or (opening.done() and (opening.cancelled() or opening.exception())):
            opening = self._channels[tenant] = asyncio.create_task(self._open(tenant))
            channel = await asyncio.shield(opening)
            self._start(self.recover(channel))  # what was said while it was being opened
            return channel
        return await asyncio.shield(opening)

    async def _open(self, tenant: int) -> Channel:
        channel = Channel(tenant)
        await channel.open()
        return channel

    def _start(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _ready(self) -> list[Channel]:
        return [
            task.result()
            for task in self._channels.values()
            if task.done() and not task.cancelled() and not task.exception()
        ]

    async def _listen(self) -> None:
        """Take what is published to all channels, until the connection fails."""
        try:
            subscription = await run_in_threadpool(Subscription)
            client = connect_async(socket_connect_timeout=1, socket_keepalive=True)
            async with client, client.pubsub() as pubsub:
                await pubsub.psubscribe(subscription.pattern)
                await self._hear(pubsub, subscription)
        except (redis.RedisError, OSError, SQLAlchemyError) as error:
            log.warning("hub_without_redis", error=type(error).__name__)
        finally:
            self._subscribed.clear()

    async def _hear(self, pubsub: redis.asyncio.client.PubSub, subscription: Subscription) -> None:
        """Take message after message. Raises OSError where the server is not heard any more."""
        loop = asyncio.get_running_loop()
        last_message_at = asked_at = loop.time()
        while loop.time() - last_message_at < _SILENT_S:
            if loop.time() - asked_at >= _SILENT_S / 3:
                asked_at = loop.time()
                await pubsub.ping()
            message = await pubsub.get_message(timeout=1)
            if message is not None:
                last_message_at = loop.time()
                await self._take(subscription, message)
        raise OSError("Redis answers no ping")

    async def _take(self, subscription: Subscription, message: dict[str, Any]) -> None:
        if message["type"] == "pong":
            return
        if message["type"] != "pmessage":  # a (re)subscription: something may have been missed before it
            self._subscribed.set()
            for channel in self._ready():
                await self.recover(channel)
            return
        name = message["channel"].decode("latin-1")
        tenant = name.rpartition(":")[2]
        followed = self._opened(int(tenant)) if tenant.isdecimal() and len(tenant) < 12 else None
        if followed is None:
            return
        body = subscription.opened(name, message["data"])
        if body is None:  # perhaps of a new key, which the database knows: never asked on the event loop
            body = await run_in_threadpool(subscription.opened_anew, name, message["data"])
        if body is None:
            return
        try:
            whole = followed.hear(body)
        except EpochChanged:
            whole = False
        if not whole:
            await self.recover(followed)

    def _opened(self, tenant: int) -> Channel | None:
        opened = self._channels.get(tenant)
        if opened is None or not opened.done() or opened.cancelled() or opened.exception():
            return None
        return opened.result()

    async def recover(self, channel: Channel) -> None:
        """Bring a channel to the end of its log, or to a new log where the old one ended.

        Where the database is away, the next look tries it again.
        """
        try:
            try:
                await channel.catch_up()
            except EpochChanged:
                await channel.open()
                channel.wake()
        except SQLAlchemyError as error:
            log.warning("hub_without_database", error=type(error).__name__)

    async def _look(self) -> None:
        """Look now and then where the logs stand: a message that was lost without a trace is noticed."""
        while True:
            await asyncio.sleep(_LOOK_S if self._subscribed.is_set() else 1)
            channels = self._ready()
            for channel in channels:
                if not channel.watchers:
                    del self._channels[channel.tenant]
            try:
                moved = await run_in_threadpool(_moved) if channels else []
            except SQLAlchemyError as error:
                log.warning("hub_without_database", error=type(error).__name__)
                continue
            at = {head.tenant_id: head for head in moved}
            for channel in channels:
                head = at.get(channel.tenant)
                if head is not None and (
                    head.epoch != channel.position.epoch or head.seq > channel.position.seq
                ):
                    await self.recover(channel)

    async def _beat(self) -> None:
        """Wake one part of the streams after the other: for its heartbeat, and for its credential."""
        part = 0
        while True:
            await asyncio.sleep(beat_s() / _BEATS)
            part = (part + 1) % _BEATS
            for channel in self._ready():
                for watcher in [one for one in channel.watchers if (id(one) >> 6) % _BEATS == part]:
                    watcher.wake()

    def close(self) -> None:
        """Tell every stream to end."""
        self.closing = True
        for channel in self._ready():
            channel.wake()

    async def stop(self) -> None:
        """End the hub's own work."""
        self.close()
        for task in (*self._tasks, *self._channels.values()):
            task.cancel()
        await asyncio.gather(*self._tasks, *self._channels.values(), return_exceptions=True)


def _moved() -> list[heads.Head]:
    with begin("producer") as session:
        return heads.moved_since(session, datetime.now(UTC) - timedelta(seconds=60))
