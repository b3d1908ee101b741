"""The coalesced nudge: wake a task after a commit, unless one that has not begun is waiting already."""

import time
from functools import cache

import redis
import structlog
from kombu.exceptions import OperationalError
from redis.backoff import NoBackoff
from redis.retry import Retry
from sqlalchemy.event import listen
from sqlalchemy.orm import Session

from activity.settings import settings
from worker.celery import app

log = structlog.get_logger()

_WAITS_AT_MOST_MS = 1000  # a lost nudge blocks the next ones for so long; beat sweeps as often
_QUIET_S = (
    1.0  # after a failure leave the broker alone for so long: a dead one must not slow every commit down
)
_quiet_until: dict[str, float] = {}  # by task: until when it is not nudged


@cache
def redis_client() -> "redis.Redis":
    """Return this process's connection to Redis: it fails within a second and repeats nothing, since a repeated write is a second write."""
    return redis.Redis.from_url(
        settings().required("redis_url"),
        socket_timeout=1,
        socket_connect_timeout=1,
        retry=Retry(NoBackoff(), 0),
    )


def _key(task: str) -> str:
    return f"activity:nudge:{task}"


def nudge(task: str) -> None:
    """Send `task` unless one is waiting. It may fail or be lost: the beat sweep does the same every second."""
    if time.monotonic() < _quiet_until.get(task, 0.0):
        return
    try:
        if redis_client().set(_key(task), 1, nx=True, px=_WAITS_AT_MOST_MS):
            app.send_task(task)
    except (redis.RedisError, OperationalError, OSError) as error:
        _quiet_until[task] = time.monotonic() + _QUIET_S
        log.warning("nudge_failed", nudged=task, error=type(error).__name__)


def begun(task: str) -> None:
    """Say that `task` has begun and will see all that is committed by now: what is committed from here on needs a new nudge."""
    try:
        redis_client().delete(_key(task))
    except redis.RedisError as error:
        log.warning("nudge_failed", nudged=task, error=type(error).__name__)


def nudge_after_commit(session: Session, task: str) -> None:
    """Nudge `task` once the session's transaction is committed."""
    waiting: set[str] | None = session.info.get("nudges")
    if waiting is None:
        waiting = session.info["nudges"] = set()
        listen(session, "after_commit", _nudge_all)
    waiting.add(task)


def _nudge_all(session: Session) -> None:
    if session.in_nested_transaction():
        return  # only a savepoint was released
    waiting: set[str] = session.info["nudges"]
    while waiting:
        nudge(waiting.pop())
