"""How many requests a caller may make: a bucket for each caller, in this process."""

import time
from collections.abc import Awaitable, Callable
from math import ceil
from typing import Annotated

from cachetools import TTLCache
from fastapi import Depends, Request

from activity.settings import settings
from api.access.callers import Caller, may
from api.http.problems import Problem


class Buckets:
    """Token buckets: each fills within a minute, and holds a minute's worth."""

    def __init__(self) -> None:
        # After a minute without a request a bucket is full, as one is that is not in here.
        self._levels: TTLCache[str, tuple[float, float]] = TTLCache(10_000, 60)

    def take(self, name: str, per_minute: int) -> tuple[int, int]:
        """Take one from a bucket; return how many are left and in how many seconds it is full.

        Raises the problem quota-exceeded.
        """
        now = time.monotonic()
        level, at = self._levels.get(name, (float(per_minute), now))
        level = min(per_minute, level + (now - at) * per_minute / 60) - 1
        if level < 0:
            wait = ceil(-level * 60 / per_minute)
            raise Problem(
                "quota-exceeded",
                f"{per_minute} requests a minute; try again in {wait} s",
                headers={"Retry-After": str(wait)},
            )
        self._levels[name] = (level, now)
        return int(level), ceil((per_minute - level) * 60 / per_minute)


_writes = Buckets()


def may_write(scope: str = "write") -> Callable[[Request], Awaitable[Caller]]:
    """Return a dependency that gives the caller of a write, who must have this scope and is counted.

    `api.http.requests` adds the headers in which the caller sees the quota to whatever the answer is.
    """
    allowed = may(scope)

    async def counted(request: Request) -> Caller:
        caller = await allowed(request)
        quota = settings().write_rate
        left, reset = _writes.take(f"{caller.tenant}/{caller.name}", quota)
        request.state.headers = [
            (b"ratelimit-policy", f'"default";q={quota};w=60'.encode()),
            (b"ratelimit", f'"default";r={left};t={reset}'.encode()),
        ]
        return caller

    return counted


Writer = Annotated[Caller, Depends(may_write())]
"""The caller of any operation that acts: with the scope `write`, and counted by ACTIVITY_WRITE_RATE."""
Editor = Annotated[Caller, Depends(may_write("records"))]
"""The caller of an operation that changes records: with the scope `records`, and counted as a Writer is."""
