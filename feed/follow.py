"""Follow a tenant's log: every event exactly once, in order, from any point, whatever Redis did.

Pub/sub only makes it fast. A jump in the numbers, a new connection, a head ahead of us, and the passing of a
second each mean: read what is missing from PostgreSQL.
"""

import time
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self
from uuid import UUID

import redis
import structlog

from activity.errors import ActivityError
from activity.event import RecordedEvent
from db.engine import begin
from db.log import heads
from db.log.reading import by_seq
from feed.position import EpochChanged, Position
from feed.subscription import Subscription
from worker.process.redis import connect

log = structlog.get_logger()

PAGE = 500  # events read from the log at a time
_CHECK_S = 1.0  # how old the follower's idea of the log's end may get while pub/sub is silent


def read_after(tenant_id: int, seq: int, epoch: UUID) -> list[RecordedEvent]:
    """Return up to PAGE events that a tenant's log holds after `seq`.

    Raises EpochChanged where the log is not of that epoch any more.
    """
    with begin("reader", tenant_id) as session:
        if heads.head(session, tenant_id).epoch != epoch:
            raise EpochChanged(f"epoch {epoch} ended")
        return by_seq.after(session, tenant_id, seq, PAGE).events


class Follower:
    """Follows one tenant's log: from now, or from after a number (0 is the beginning). A context manager.

    What a message means is `Position`'s to say, and the API's hub asks it as well; the loops differ, since
    one waits in a thread and the other in an event loop.
    """

    def __init__(self, tenant_id: int, after: int | None = None) -> None:
        self._tenant_id = tenant_id
        self._behind = True  # until the log itself was read to its end
        self._checked = 0.0
        self._redis = connect(socket_connect_timeout=1, health_check_interval=10)
        self._pubsub = self._redis.pubsub()  # type: ignore[no-untyped-call]  # as redis has it
        self._subscribed = False
        with begin("reader", tenant_id) as session:
            head = heads.head(session, tenant_id)
        if after is not None and not 0 <= after <= head.seq:
            raise ActivityError(f"after={after}: tenant {tenant_id}'s log goes from 0 to {head.seq}")
        self._subscription = Subscription()
        self._channel = self._subscription.channel(tenant_id)
        self.position = Position(tenant_id, head.epoch, head.seq if after is None else after)

    def read(self, timeout: float = 1.0) -> list[RecordedEvent]:
        """Return the next events, waiting up to `timeout` seconds for one.

        An empty list says that there was none so far.
        """
        message = self._next(0 if self._due else timeout)
        events = self._take(message)
        return events or (self._read_log() if self._due else [])

    def _next(self, timeout: float) -> dict[str, object] | None:
        try:
            if not self._subscribed:
                self._pubsub.subscribe(self._channel)
                self._subscribed = True
            message: dict[str, object] | None = self._pubsub.get_message(timeout=timeout)
        except redis.RedisError as error:
            log.info("follow_without_redis", error=type(error).__name__)
            self._subscribed = False
            time.sleep(min(timeout, _CHECK_S))
            return None
        return message

    @property
    def _due(self) -> bool:
        return self._behind or time.monotonic() - self._checked >= _CHECK_S

    def _take(self, message: dict[str, Any] | None) -> list[RecordedEvent]:
        """Return what a message from pub/sub delivers; any doubt makes the next read go to the log."""
        if message is None:
            return []
        if (
            message["type"] != "message"
        ):  # a (re)subscription: something may have been said while there was none
            self._behind = True
            return []
        body = self._subscription.opened(self._channel, message["data"])
        if body is None:
            body = self._subscription.opened_anew(self._channel, message["data"])
        if body is None:
            return []
        events = self.position.hear(body)
        if events:
            self._checked = time.monotonic()
        self._behind = events is None or (self._behind and not events)
        return events or []

    def _read_log(self) -> list[RecordedEvent]:
        """Return the next page of what the log holds beyond the position."""
        page = read_after(self._tenant_id, self.position.seq, self.position.epoch)
        self._behind = len(page) == PAGE
        self._checked = time.monotonic()
        if page:
            self.position.seq = page[-1].seq
        return page

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pubsub.close()
        self._redis.close()


def follow(tenant_id: int, after: int | None = None) -> Iterator[RecordedEvent]:
    """Yield every event of a tenant from now on, or from after a number: for ever, exactly once, in order."""
    with Follower(tenant_id, after) as follower:
        while True:
            yield from follower.read()
