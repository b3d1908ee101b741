"""The connection to Redis. Nothing depends on it: whoever finds it away goes on without."""

import time
from collections.abc import Callable
from functools import cache
from typing import TypeVar

import redis
import structlog
from redis.backoff import NoBackoff
from redis.retry import Retry

from activity.settings import settings

log = structlog.get_logger()

T = TypeVar("T")

_ANSWER_S = 1.0
# After a failure: a server that is away or frozen must not slow each commit down.
_REST_S = 2.0


class _Rest:
    """Until when Redis is left alone, by the monotonic clock."""

    until = 0.0


@cache
def redis_client() -> "redis.Redis":
    """Return this process's client: it fails within a second, and repeats nothing, lest it write twice."""
    return redis.Redis.from_url(
        settings().required("redis_url"),
        socket_timeout=_ANSWER_S,
        socket_connect_timeout=_ANSWER_S,
        health_check_interval=5,
        retry=Retry(NoBackoff(), 0),
    )


def try_redis(purpose: str, act: Callable[["redis.Redis"], T]) -> T | None:
    """Return what `act` does with Redis, or None where it cannot be done now.

    Whatever it raises is logged as redis_failed and forgotten: what is done here makes things faster, and is
    done after a commit that must not seem to have failed. For two seconds after that Redis is left alone.
    """
    if time.monotonic() < _Rest.until or settings().redis_url is None:
        return None
    try:
        return act(redis_client())
    except Exception as error:  # noqa: BLE001  # a wrong URL or a missing package is no reason to fail either
        _Rest.until = time.monotonic() + _REST_S
        log.warning("redis_failed", purpose=purpose, error=type(error).__name__)
        return None


def forget() -> None:
    """Drop the client, and that it failed: for tests and for servers that were started anew."""
    _Rest.until = 0.0
    redis_client.cache_clear()
