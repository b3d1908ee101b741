"""Newest pages, kept as they were sent: most requests ask for a page that somebody just saw, and the log did not grow since."""

from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple
from uuid import UUID

from fastapi import Request, Response
from fastapi.routing import APIRoute

from api.access.callers import may
from db.log.heads import Head, heads_now
from worker.group_commit import Batched

_PAGES = 500
_heads = Batched[int, Head](heads_now)
_may_read = may("read")

Asked = tuple[int, str, str]


class Kept(NamedTuple):
    """A page, and where the log stood when it was read."""

    page: Response
    epoch: UUID
    seq: int


_kept: dict[Asked, Kept] = {}


def keep(request: Request, tenant: int, head: Head, page: Response) -> None:
    """Keep a page that nothing but the log decides."""
    if len(_kept) >= _PAGES:
        _kept.clear()
    _kept[_asked(request, tenant)] = Kept(page, head.epoch, head.seq)


class KeptPages(APIRoute):
    """A route whose kept pages are sent again until the log grows; who asks at the same moment shares the look at it."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the route's own handler, asked only where there is no page as new as the log."""
        read = super().get_route_handler()

        async def answer(request: Request) -> Response:
            caller = await _may_read(request)
            kept = _kept.get(_asked(request, caller.tenant))
            if kept is None:
                return await read(request)
            head = await _heads.put(caller.tenant)
            if (head.epoch, head.seq) != (kept.epoch, kept.seq):
                return await read(request)
            tag = kept.page.headers["etag"]
            if tag in request.headers.get("if-none-match", ""):
                return Response(
                    status_code=304,
                    headers={"ETag": tag, "Cache-Control": kept.page.headers["cache-control"]},
                )
            return kept.page

        return answer


def _asked(request: Request, tenant: int) -> Asked:
    return tenant, str(request.url), request.headers.get("accept", "")
