"""How many requests a caller may make: a bucket for each caller, in this process."""

import time
from collections.abc import Awaitable, Callable
from math import ceil

from fastapi import Request, Response

from activity.settings import settings
from api.access.callers import Caller, may
from api.http.problems import Problem

_REMEMBERED = 10_000


class Buckets:
    """Token buckets: each fills within a minute, and holds a minute's worth."""

    def __init__(self) -> None:
        self._filled: dict[str, tuple[float, float]] = {}

    def take(self, name: str, per_minute: int) -> tuple[int, int]:
        """Take one from a bucket; return how many are left and in how many seconds it is full. Raises the problem quota-exceeded."""
        now = time.monotonic()
        if len(self._filled) >= _REMEMBERED:
            self._filled = {key: kept for key, kept in self._filled.items() if now - kept[1] < 60}
        level, at = self._filled.get(name, (float(per_minute), now))
        level = min(per_minute, level + (now - at) * per_minute / 60) - 1
        if level < 0:
            wait = ceil(-level * 60 / per_minute)
            raise Problem(
                "quota-exceeded",
                f"{per_minute} requests a minute; try again in {wait} s",
                headers={"Retry-After": str(wait)},
            )
        self._filled[name] = (level, now)
        return int(level), ceil((per_minute - level) * 60 / per_minute)


_writes = Buckets()


def may_write(scope: str = "write") -> Callable[[Request, Response], Awaitable[Caller]]:
    """Return a dependency that gives the caller of a write, who must have this scope and is counted."""
    allowed = may(scope)

    async def counted(request: Request, response: Response) -> Caller:
        caller = await allowed(request)
        quota = settings().write_rate
        left, reset = _writes.take(f"{caller.tenant}/{caller.name}", quota)
        request.state.headers = {
            "RateLimit-Policy": f'"default";q={quota};w=60',
            "RateLimit": f'"default";r={left};t={reset}',
        }
        return caller

    return counted
