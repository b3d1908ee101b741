"""What happens around every request.

Its id, its line in the log, its place in the metrics, and the answer to a defect.
"""

import re
import time
from collections.abc import Iterable, MutableMapping
from typing import Any

import structlog
from prometheus_client import Counter, Histogram
from starlette.types import ASGIApp, Receive, Scope, Send
from structlog.contextvars import bound_contextvars
from uuid_utils.compat import uuid7

from api.http.problems import problem

log = structlog.get_logger()

REQUESTS = Counter("activity_http_requests_total", "Answered requests", ["method", "route", "status"])
SECONDS = Histogram("activity_http_request_seconds", "Time to the first byte of the answer", ["route"])

Header = tuple[bytes, bytes]

_UUID = re.compile(rb"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_METHODS = {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"}
_SAFE = ((b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"same-origin"))


class Requests:
    """ASGI middleware. Queries are never logged: a client could have put anything there."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and note how it ended."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        request_id = _request_id(scope)
        scope.setdefault("state", {})["request_id"] = request_id
        scope["state"]["send"] = (
            send  # for bodies that are written ten thousand times: straight to the server
        )
        started = time.perf_counter()
        status = 0

        async def answer(message: MutableMapping[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *_cached(message.get("headers", [])),
                    (b"x-request-id", request_id.encode()),
                    *scope["state"].get("headers", ()),  # of the caller's quota
                    *_SAFE,
                ]
                _note(scope, status, time.perf_counter() - started)
            await send(message)

        with bound_contextvars(request_id=request_id):
            try:
                await self._app(scope, receive, answer)
            except Exception:
                log.exception("request_failed", method=scope["method"], path=scope["path"])
                if not status:
                    await problem("internal", "the defect is in the log under this request's id", request_id)(
                        scope, receive, answer
                    )


def _cached(headers: Iterable[Header]) -> list[Header]:
    """Return an answer's headers: where they do not say whether it is stored, it is not."""
    given = list(headers)
    stated = any(name.lower() == b"cache-control" for name, _ in given)
    return given if stated else [*given, (b"cache-control", b"no-store")]


def _request_id(scope: Scope) -> str:
    given = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
    return given.decode() if _UUID.fullmatch(given) else str(uuid7())


def _note(scope: Scope, status: int, seconds: float) -> None:
    route = getattr(scope.get("route"), "path", "none")
    method = scope["method"] if scope["method"] in _METHODS else "other"
    REQUESTS.labels(method, route, status).inc()
    SECONDS.labels(route).observe(seconds)
    log.info(
        "request", method=scope["method"], path=scope["path"], status=status, ms=round(seconds * 1000, 1)
    )
