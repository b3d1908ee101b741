"""Who is calling: an API key, a user's token of the host CRM, or the page's session cookie.

Each belongs to one workspace.
"""

import asyncio
import hmac
import secrets
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache, lru_cache
from threading import Lock
from typing import Annotated, Any
from uuid import UUID, uuid4

import jwt
from cachetools import TTLCache, cached
from fastapi import Depends, Request
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from activity.errors import InvalidEvent, SettingMissing
from activity.settings import settings
from activity.validation import check_actor
from api.http.problems import Problem
from db import access
from db.engine import EVERY_TENANT, begin
from db.records.records import TenantNotFound, get_tenant

COOKIE = "activity_session"
SESSION_S = 12 * 3600
_CACHED_S = 5.0  # a revoked key works for at most so long
_LEAST_SECRET = 32  # bytes of a secret that whoever has one of its signatures could guess at
_CACHED = 10_000
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_ROLES = {"viewer": {"read"}, "member": {"read", "write"}, "admin": {"read", "write", "records"}}


@dataclass(frozen=True)
class Caller:
    """Who calls, for which workspace, and what they may do.

    `name` stays the same when a key is rotated or a token renewed. `is_user`: they can act only as
    themselves. `session_id`: they come with a session of the page.
    """

    tenant: int
    name: str
    actor: str
    scopes: frozenset[str]
    is_user: bool
    expires_at: float | None = None  # seconds since 1970
    key_id: int | None = None
    session_id: UUID | None = None


def may(scope: str) -> Callable[[Request], Awaitable[Caller]]:
    """Return a dependency that gives the caller, who must have this scope."""

    async def allowed(request: Request) -> Caller:
        caller = await authenticate(request)
        if scope not in caller.scopes:
            raise Problem(
                "forbidden",
                f"this needs the scope '{scope}'; {caller.name} has: "
                f"{', '.join(sorted(caller.scopes)) or 'none'}",
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
        return await from_credential(live_keys(request), credential.strip())
    cookie = request.cookies.get(COOKIE)
    if cookie is None:
        raise _unknown("no key, token or session was sent")
    session = read_session(cookie)
    if request.method not in _SAFE_METHODS and not hmac.compare_digest(
        session["csrf"].encode(), request.headers.get("x-csrf-token", "").encode()
    ):
        raise Problem("csrf", "X-CSRF-Token does not match this session")
    return await _of_session(live_keys(request), session)


async def from_credential(keys: "LiveKeys", credential: str) -> Caller:
    """Return the caller that an API key or a token stands for."""
    if credential.count(".") == 2:
        return await run_in_threadpool(_from_token, credential)
    return await keys.caller(credential, lambda session: _of_key(access.use_key(session, credential)))


def _unknown(detail: str) -> Problem:
    return Problem("unauthenticated", detail, headers={"WWW-Authenticate": "Bearer"})


# --- API keys ---

LookUp = Callable[[Session], Caller]


class LiveKeys:
    """The callers of the keys and sessions in use, cached for a few seconds in one application."""

    def __init__(self) -> None:
        self._callers: TTLCache[str | UUID, Caller] = TTLCache(_CACHED, _CACHED_S)
        self._lookups: dict[str | UUID, asyncio.Task[Caller]] = {}

    async def caller(self, name: str | UUID, look_up: LookUp) -> Caller:
        """Return the caller of a key or session; requests of one moment share one look-up.

        Raises the problem unauthenticated.
        """
        caller = self._callers.get(name)
        if caller is not None:
            return caller
        lookup = self._lookups.get(name)
        if lookup is None:
            lookup = self._lookups[name] = asyncio.create_task(self._look_up(name, look_up))
            lookup.add_done_callback(lambda _: self._lookups.pop(name, None))
        return await asyncio.shield(lookup)

    def forget(self, name: str | UUID) -> None:
        """Ask about a key or session anew the next time."""
        self._callers.pop(name, None)

    async def _look_up(self, name: str | UUID, look_up: LookUp) -> Caller:
        caller = self._callers[name] = await run_in_threadpool(_looked_up, look_up)
        return caller


def live_keys(request: Request) -> LiveKeys:
    """Return the cache of the application that a request came to."""
    keys: LiveKeys = request.app.state.live_keys
    return keys


def _looked_up(look_up: LookUp) -> Caller:
    with begin("producer", EVERY_TENANT) as session:
        return look_up(session)


def _of_key(key: access.ApiKey | None) -> Caller:
    if key is None:
        raise _unknown("this key is unknown, expired or revoked")
    ends = key.expires_at.timestamp() if key.expires_at else None
    return Caller(key.tenant_id, f"key:{key.name}", key.actor, frozenset(key.scopes), False, ends, key.id)


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
        tenant = _tenant_id(claims["tenant"])
    except (KeyError, TypeError, TenantNotFound):
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


@lru_cache(maxsize=1)
def _jwks(url: str) -> jwt.PyJWKClient:
    return jwt.PyJWKClient(url, cache_keys=True, lifespan=300, timeout=5)


# Keyed by type as well: to a dictionary True and 1.0 are 1.
@cached(TTLCache(_CACHED, 60), key=lambda ref: (type(ref), ref), lock=Lock())
def _tenant_id(ref: str | int) -> int:
    if type(ref) not in (str, int):
        raise TypeError("a workspace is named by a text or a whole number")
    with begin("producer") as session:
        return get_tenant(session, ref).id


def _scopes(claims: dict[str, object]) -> frozenset[str]:
    """Return what a token allows: its `scope`, else the sum of its `roles`."""
    scope = claims.get("scope")
    if isinstance(scope, str):
        return frozenset(scope.split()) & frozenset(access.SCOPES)
    roles = claims.get("roles")
    granted: Iterable[set[str]] = (
        (_ROLES.get(role, set()) for role in roles if isinstance(role, str))
        if isinstance(roles, list)
        else ()
    )
    return frozenset().union(*granted)


# --- the page's session ---


def check_secrets() -> None:
    """Raise SettingMissing where a secret is so short that it can be guessed from a signature."""
    for name in ("session_secret", "jwt_secret"):
        given = getattr(settings(), name)
        if given and len(given.get_secret_value().encode()) < _LEAST_SECRET:
            raise SettingMissing(
                f"ACTIVITY_{name.upper()} is too short: give {_LEAST_SECRET} random characters or more"
            )


def _session_secret() -> bytes:
    """Return the key of sessions alone: a token that the host signs with the same secret is none."""
    given = settings().session_secret
    secret = given.get_secret_value() if given else _secret_of_this_process()
    return hmac.digest(secret.encode(), b"session", "sha256")


@cache
def _secret_of_this_process() -> str:
    return secrets.token_urlsafe(32)


def make_session(caller: Caller) -> tuple[str, str]:
    """Return a session's cookie and its CSRF token."""
    csrf = secrets.token_urlsafe(24)
    ends = min(time.time() + SESSION_S, caller.expires_at or float("inf"))
    claims = {
        "csrf": csrf,
        "exp": int(ends),
        "jti": str(uuid4()),
        "key": caller.key_id,
        "tenant": caller.tenant,
        "name": caller.name,
        "actor": caller.actor,
        "scopes": sorted(caller.scopes),
    }
    return jwt.encode(claims, _session_secret(), "HS256"), csrf


def read_session(cookie: str) -> dict[str, Any]:
    """Return the claims of a session's cookie.

    Raises the problem unauthenticated if it is forged or has ended.
    """
    try:
        claims: dict[str, object] = jwt.decode(
            cookie, _session_secret(), ["HS256"], {"require": ["exp", "csrf", "jti"]}
        )
    except (jwt.PyJWTError, ValueError):
        raise _unknown("the session has ended: sign in again") from None
    return claims


async def _of_session(keys: LiveKeys, claims: dict[str, Any]) -> Caller:
    id_ = UUID(claims["jti"])
    return await keys.caller(id_, lambda session: _caller_of(session, id_, claims))


def _caller_of(session: Session, id_: UUID, claims: dict[str, Any]) -> Caller:
    if access.is_signed_out(session, id_):
        raise _unknown("the session was ended: sign in again")
    if claims["key"] is not None:
        live = _of_key(access.use_key_of_session(session, claims["key"]))
        return replace(live, expires_at=claims["exp"], session_id=id_)
    scopes = frozenset(claims["scopes"])
    return Caller(
        claims["tenant"], claims["name"], claims["actor"], scopes, True, claims["exp"], session_id=id_
    )


async def sign_out(request: Request) -> None:
    """End the session that a request came with, in every process. Raises the problem of who may not."""
    caller = await authenticate(request)
    if caller.session_id is not None:
        await run_in_threadpool(_sign_out, caller.session_id, caller.expires_at or 0)
        live_keys(request).forget(caller.session_id)


def _sign_out(id_: UUID, ends_at: float) -> None:
    with begin("producer", EVERY_TENANT) as session:
        access.sign_out(session, id_, datetime.fromtimestamp(ends_at, UTC))


def ends(caller: Caller) -> datetime | None:
    """Return when the caller's credential ends."""
    return datetime.fromtimestamp(caller.expires_at, UTC) if caller.expires_at else None
