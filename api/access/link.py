"""A link that signs in once: `activity dev` prints one, so that a newcomer's first page asks for nothing.

What the link holds is drawn for it and means nothing elsewhere; the key stays in Redis for ten minutes, or
until the link is followed. Nobody but `activity dev` makes one, and only this machine may follow it.
"""

import hashlib
import ipaddress
import secrets

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import PlainTextResponse, RedirectResponse, Response

from api.access import session
from api.http.problems import Problem
from db.log import deployment
from worker.process.redis import try_redis

router = APIRouter(include_in_schema=False)
_USABLE_S = 600
_USED = (
    "This link was followed already, or is older than ten minutes. "
    "`activity env` prints the key to sign in with.\n"
)


def offer(key: str) -> str | None:
    """Return the path that signs in with this key, once; None where Redis cannot keep it now."""
    token = secrets.token_urlsafe(24)
    stored = try_redis("sign-in link", lambda redis: redis.set(_name(token), key, ex=_USABLE_S))
    return f"/sign-in/{token}" if stored else None


def _name(token: str) -> str:
    digest = hashlib.sha256(token.encode()).hexdigest()
    return f"activity:{deployment.name('reader')}:sign-in:{digest}"


def _redeem(token: str) -> str | None:
    key = try_redis("sign-in link", lambda redis: redis.getdel(_name(token)))
    return key.decode() if isinstance(key, bytes) else None


def _is_local(request: Request) -> bool:
    try:
        return request.client is not None and ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:
        return False


def _used() -> Response:
    return PlainTextResponse(_USED, 410, {"Cache-Control": "no-store"})


@router.get("/sign-in/{token}")
async def follow_link(request: Request, token: str) -> Response:
    """Begin the session that a link stands for, and show the page."""
    key = await run_in_threadpool(_redeem, token) if _is_local(request) and len(token) <= 100 else None
    if key is None:
        return _used()
    answer = RedirectResponse("/", 303, {"Cache-Control": "no-store"})
    try:
        _, cookie, _ = await session.begin(request, key)
    except Problem:  # the key was revoked meanwhile
        return _used()
    session.put_cookie(request, answer, cookie)
    return answer
