"""Who is calling: an API key, a user's token of the host CRM, or the page's session cookie. Each belongs to one workspace."""

import asyncio
import hmac
import secrets
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Annotated, Any

import jwt
from fastapi import Depends, Request
from starlette.concurrency import run_in_threadpool

from activity.errors import InvalidEvent, SettingMissing
from activity.settings import settings
from activity.validation import check_actor
from api.http.problems import Problem
from db import access
from db.engine import EVERY_TENANT, begin
from db.records.records import TenantUnknown, get_tenant

COOKIE = "activity_session"
SESSION_S = 12 * 3600
_REMEMBERED_S = 10.0  # a revoked key works for so long at the most
_REMEMBERED = 10_000
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_ROLES = {"viewer": {"read"}, "member": {"read", "write"}, "admin": set(access.SCOPES)}


@dataclass(frozen=True)
class Caller:
    """Who calls, for which workspace, and what they may do.

    `name` stays the same when a key is rotated or a token renewed. `is_user` says that they act as themselves alone.
    """

    tenant: int
    name: str
    actor: str
    scopes: frozenset[str]
    is_user: bool
    expires_at: float | None = None  # seconds since 1970
    key_id: int | None = None


def may(scope: str) -> Callable[[Request], Awaitable[Caller]]:
    """Return a dependency that gives the caller, who must have this scope."""

    async def allowed(request: Request) -> Caller:
        caller = await authenticate(request)
        if scope not in caller.scopes:
            raise Problem(
                "forbidden",
                f"this needs the scope '{scope}'; {caller.name} has: {', '.join(sorted(caller.scopes)) or 'none'}",
            )
        return caller

    return allowed


Reader = Annotated[Caller, Depends(may("read"))]
"""The caller of an operation that only reads: with the scope `read`."""


async def authenticate(request: Request) -> Caller:
    """Return who sent a request, or raise the problem that says what is wrong."""
    scheme, _, credential = request.headers.get("authorization", "").partition(" ")
    if credential:
        if scheme.lower() != "bearer":
            raise _unknown("the scheme is 'Bearer'")
        return await from_credential(credential.strip())
    cookie = request.cookies.get(COOKIE)
    if cookie is None:
        raise _unknown("no key, token or session was sent")
    session = read_session(cookie)
    if request.method not in _SAFE_METHODS and not hmac.compare_digest(
        session["csrf"].encode(), request.headers.get("x-csrf-token", "").encode()
    ):
        raise Problem("csrf", "X-CSRF-Token does not match this session")
    return await _of_session(session)


async def from_credential(credential: str) -> Caller:
    """Return whom an API key or a token stands for."""
    if credential.count(".") == 2:
        return await run_in_threadpool(_from_token, credential)
    return await _live(lambda session: access.use_key(session, credential), credential)


def _unknown(detail: str) -> Problem:
    return Problem("unauthenticated", detail, headers={"WWW-Authenticate": "Bearer"})


# --- API keys ---

_seen: dict[str | int, tuple[Caller, float]] = {}
_looking: dict[str | int, asyncio.Task[Caller]] = {}


async def _live(use: Callable[[Any], access.ApiKey | None], name: str | int) -> Caller:
    """Return the caller of a live key, remembered for a few seconds; many who ask at once, as streams do, ask the database once."""
    caller, until = _seen.get(name, (None, 0.0))
    if caller is None or time.monotonic() > until:
        looking = _looking.get(name)
        if looking is None:
            looking = _looking[name] = asyncio.create_task(_remember(use, name))
            looking.add_done_callback(lambda _: _looking.pop(name, None))
        caller = await asyncio.shield(looking)
    return caller


async def _remember(use: Callable[[Any], access.ApiKey | None], name: str | int) -> Caller:
    caller = await run_in_threadpool(_look_up, use)
    if len(_seen) >= _REMEMBERED:
        _seen.clear()
    _seen[name] = (caller, time.monotonic() + _REMEMBERED_S)
    return caller


def _look_up(use: Callable[[Any], access.ApiKey | None]) -> Caller:
    with begin("producer", EVERY_TENANT) as session:
        key = use(session)
    if key is None:
        raise _unknown("this key is unknown, expired or revoked")
    ends = key.expires_at.timestamp() if key.expires_at else None
    return Caller(key.tenant_id, f"key:{key.name}", key.actor, frozenset(key.scopes), False, ends, key.id)


def forget_callers() -> None:
    """Look every key up again at its next use."""
    _seen.clear()
    _tenant_id.cache_clear()
    _session_secret.cache_clear()
    _jwks.cache_clear()


# --- tokens of the host CRM ---


def _from_token(token: str) -> Caller:
    try:
        claims = _verified(token)
    except (jwt.PyJWTError, ValueError) as error:
        raise _unknown(f"the token is not accepted: {error}") from None
    actor = claims.get("email", "")
    try:
        check_actor(actor)
    except (InvalidEvent, TypeError):
        raise _unknown("the token's 'email' must be its user's e-mail address") from None
    if actor == "system":
        raise _unknown("the token's 'email' must be its user's e-mail address")
    try:
        tenant = _tenant_id(claims["tenant"], int(time.monotonic() // 60))
    except (KeyError, TypeError, TenantUnknown):
        raise _unknown("the token's 'tenant' must be the slug or id of a workspace") from None
    return Caller(tenant, f"user:{actor}", actor, _scopes(claims), True, float(claims["exp"]))


def _verified(token: str) -> dict[str, Any]:
    chosen = settings()
    algorithm = jwt.get_unverified_header(token).get("alg")
    if algorithm == "HS256" and chosen.jwt_secret:
        key: Any = chosen.jwt_secret.get_secret_value()
    elif algorithm in ("RS256", "ES256", "EdDSA") and chosen.jwt_jwks_url:
        key = _jwks(chosen.jwt_jwks_url).get_signing_key_from_jwt(token).key
    else:
        raise jwt.InvalidAlgorithmError(f"tokens signed with {algorithm!r:.20} are not accepted here")
    # The algorithm is bound to the kind of key above, so that a public key never serves as an HMAC secret.
    verified: dict[str, Any] = jwt.decode(
        token,
        key,
        [algorithm],
        {"require": ["exp"]},
        issuer=chosen.jwt_issuer,
        audience=chosen.jwt_audience,
        leeway=10,
    )
    return verified


@cache
def _jwks(url: str) -> jwt.PyJWKClient:
    return jwt.PyJWKClient(url, cache_keys=True, lifespan=300, timeout=5)


@cache
def _tenant_id(ref: str | int, minute: int) -> int:
    with begin("producer") as session:
        return get_tenant(session, ref).id


def _scopes(claims: dict[str, Any]) -> frozenset[str]:
    """Return what a token allows: its `scope`, else the sum of its `roles`."""
    said = claims.get("scope")
    if isinstance(said, str):
        return frozenset(said.split()) & frozenset(access.SCOPES)
    roles = claims.get("roles")
    granted: Iterable[set[str]] = (
        (_ROLES.get(role, set()) for role in roles if isinstance(role, str))
        if isinstance(roles, list)
        else ()
    )
    return frozenset().union(*granted)


# --- the page's session ---


@cache
def _session_secret() -> str:
    given = settings().session_secret
    if given is not None and len(given.get_secret_value()) < 32:
        raise SettingMissing("ACTIVITY_SESSION_SECRET is too short: give 32 random characters or more")
    return given.get_secret_value() if given else secrets.token_urlsafe(32)


def make_session(caller: Caller) -> tuple[str, str]:
    """Return a session's cookie and its CSRF token."""
    csrf = secrets.token_urlsafe(24)
    ends = min(time.time() + SESSION_S, caller.expires_at or float("inf"))
    claims = {
        "csrf": csrf,
        "exp": int(ends),
        "key": caller.key_id,
        "tenant": caller.tenant,
        "name": caller.name,
        "actor": caller.actor,
        "scopes": sorted(caller.scopes),
    }
    return jwt.encode(claims, _session_secret(), "HS256", {"typ": "activity-session"}), csrf


def read_session(cookie: str) -> dict[str, Any]:
    """Return what a session's cookie says, or raise the problem that it is not ours or has ended."""
    try:
        said: dict[str, Any] = jwt.decode(cookie, _session_secret(), ["HS256"], {"require": ["exp", "csrf"]})
    except (jwt.PyJWTError, ValueError):
        raise _unknown("the session has ended: sign in again") from None
    return said


async def _of_session(session: dict[str, Any]) -> Caller:
    if session["key"] is not None:
        live = await _live(lambda s: access.use_key_of_session(s, session["key"]), session["key"])
        return Caller(
            live.tenant, live.name, live.actor, live.scopes, live.is_user, session["exp"], live.key_id
        )
    return Caller(
        session["tenant"],
        session["name"],
        session["actor"],
        frozenset(session["scopes"]),
        True,
        session["exp"],
    )


def ends(caller: Caller) -> datetime | None:
    """Return when the caller's credential ends."""
    return datetime.fromtimestamp(caller.expires_at, UTC) if caller.expires_at else None
