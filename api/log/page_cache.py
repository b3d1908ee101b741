"""A cache of newest pages.

Most requests ask for a page that was just sent, and the log did not grow since.
"""

from collections.abc import Callable, Coroutine
from threading import Lock
from typing import NamedTuple
from uuid import UUID

from cachetools import TTLCache
from fastapi import Request, Response
from fastapi.routing import APIRoute

from api.access.callers import may
from db.log.heads import Head, heads_now
from worker.group_commit import Batched

_heads = Batched[int, Head](heads_now)
_may_read = may("read")

CacheKey = tuple[int, str, str]


class CachedPage(NamedTuple):
    """A page, and the head of the log when it was read."""

    page: Response
    epoch: UUID
    seq: int


_CACHED_S = 5.0  # so that for whom e-mails are is heeded, even where the log does not grow
_pages: TTLCache[CacheKey, CachedPage] = TTLCache(500, _CACHED_S)
_lock = Lock()  # pages are stored by the threads that read them, and looked up by the event loop


def store(request: Request, tenant: int, head: Head, page: Response) -> None:
    """Cache a page that depends on nothing but the log."""
    with _lock:
        _pages[_key(request, tenant)] = CachedPage(page, head.epoch, head.seq)


class CachingRoute(APIRoute):
    """A route that sends a cached page until the log grows.

    Requests of one moment share the query for its head.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[object, object, Response]]:
        """Return a handler that calls the route's own only if no cached page is as new as the log."""
        read = super().get_route_handler()

        async def answer(request: Request) -> Response:
            caller = await _may_read(request)
            with _lock:
                cached = _pages.get(_key(request, caller.tenant))
            if cached is None:
                return await read(request)
            head = await _heads.put(caller.tenant)
            if (head.epoch, head.seq) != (cached.epoch, cached.seq):
                return await read(request)
            tag = cached.page.headers["etag"]
            if tag in request.headers.get("if-none-match", ""):
                return Response(
                    status_code=304,
                    headers={"ETag": tag, "Cache-Control": cached.page.headers["cache-control"]},
                )
            return cached.page

        return answer


def _key(request: Request, tenant: int) -> CacheKey:
    return tenant, str(request.url), request.headers.get("accept", "")
