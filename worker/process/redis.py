"""The connection to Redis. Nothing depends on it: whoever finds it away goes on without."""

import time
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit

import redis
import redis.asyncio
import structlog
from redis.asyncio.sentinel import Sentinel as AsyncSentinel
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import Sentinel

from activity.settings import settings

log = structlog.get_logger()

T = TypeVar("T")

_ANSWER_S = 1.0
# After a failure: a server that is away or frozen must not slow each commit down.
_REST_S = 2.0
_SENTINEL = {"sentinel_kwargs": {"socket_timeout": _ANSWER_S, "socket_connect_timeout": _ANSWER_S}}


class _Rest:
    """Until when Redis is left alone, by the monotonic clock."""

    until = 0.0


def connect(**options: object) -> "redis.Redis":
    """Return a new client of the configured server, or of the one that its sentinels name as the master."""
    url = settings().required("redis_url")
    if not url.startswith("sentinel://"):
        return redis.Redis.from_url(url, **options)
    sentinels, master = _sentinels(url)
    return cast("redis.Redis", _untyped(Sentinel)(sentinels, **_SENTINEL).master_for(**master, **options))


def connect_async(**options: Any) -> "redis.asyncio.Redis":
    """Return such a client for an event loop."""
    url = settings().required("redis_url")
    if not url.startswith("sentinel://"):
        return redis.asyncio.Redis.from_url(url, **options)
    sentinels, master = _sentinels(url)
    asked = _untyped(AsyncSentinel)(sentinels, **_SENTINEL)
    return cast("redis.asyncio.Redis", asked.master_for(**master, **options))


def _untyped(kind: Any) -> Any:
    return kind  # redis has no types for its sentinels


def _sentinels(url: str) -> tuple[list[tuple[str, int]], dict[str, object]]:
    """Return where the sentinels are, and which master to ask them for, with its login and database.

    A URL as Celery has it: sentinel://:password@host:26379/0;sentinel://host:26379
    """
    parts = [urlsplit(part) for part in url.split(";")]
    hosts = [(part.hostname or "localhost", part.port or 26379) for part in parts]
    first, name = parts[0], settings().required("sentinel_master")
    login = {"username": first.username or None, "password": first.password or None}
    return hosts, {"service_name": name, "db": int(first.path.strip("/") or 0), **login}


@cache
def redis_client() -> "redis.Redis":
    """Return this process's client: it fails within a second, and repeats nothing, lest it write twice."""
    return connect(
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
