"""The page's session: a signed cookie that scripts cannot read, in exchange for a key or a token."""

from dataclasses import replace
from datetime import datetime
from typing import Annotated
from urllib.parse import urlsplit

import msgspec
from fastapi import APIRouter, Depends, Request, Response
from msgspec import Meta

from activity.settings import settings
from api.access import callers
from api.access.callers import COOKIE, Caller, authenticate
from api.http.encoding import answers, body, json_response, problem_answer, takes
from api.http.problems import Problem

router = APIRouter(prefix="/v1/session", tags=["session"])


class SignIn(msgspec.Struct, forbid_unknown_fields=True):
    """What a person signs in with: an API key, or a token of the CRM."""

    key: Annotated[str, Meta(min_length=1, max_length=8192)]


class SessionOut(msgspec.Struct):
    """Who is signed in, and to which workspace.

    `csrf` goes into the header X-CSRF-Token of every change; `record_url` is where the page links records to.
    """

    tenant: int
    actor: str
    scopes: list[str]
    csrf: str | None
    expires_at: datetime | None
    record_url: str | None


def _secure(request: Request) -> bool:
    """Return whether the page is reached by TLS; a proxy before this server may be the one who speaks it."""
    return "https" in (request.url.scheme, urlsplit(settings().public_url).scheme)


def _session_of(caller: Caller, csrf: str | None) -> SessionOut:
    return SessionOut(
        caller.tenant, caller.actor, sorted(caller.scopes), csrf, callers.ends(caller), settings().record_url
    )


@router.post("", responses=answers(SessionOut), openapi_extra=takes(SignIn))
async def sign_in(request: Request, given: Annotated[SignIn, Depends(body(SignIn))]) -> Response:
    """Begin a session; it ends when its key or token does, after at most 12 hours."""
    caller, cookie, csrf = await begin(request, given.key)
    session = replace(caller, expires_at=callers.read_session(cookie)["exp"])
    response = json_response(_session_of(session, csrf), headers={"Cache-Control": "no-store"})
    put_cookie(request, response, cookie)
    return response


async def begin(request: Request, credential: str) -> tuple[Caller, str, str]:
    """Return whom a key or token stands for, a new session's cookie, and its CSRF token."""
    caller = await callers.from_credential(callers.live_keys(request), credential)
    return caller, *callers.make_session(caller)


def put_cookie(request: Request, response: Response, cookie: str) -> None:
    """Give the session to the browser."""
    response.set_cookie(
        COOKIE, cookie, callers.SESSION_S, httponly=True, samesite="lax", secure=_secure(request)
    )


@router.get("", responses=answers(SessionOut))
async def who(request: Request) -> Response:
    """Return who is calling; with a session, its CSRF token too."""
    caller = await authenticate(request)
    by_header = "authorization" in request.headers
    csrf = None if by_header else callers.read_session(request.cookies[COOKIE])["csrf"]
    return json_response(_session_of(caller, csrf), headers={"Cache-Control": "no-store"})


@router.delete("", status_code=204, responses={204: {"description": "Signed out"}, 403: problem_answer(403)})
async def sign_out(request: Request) -> Response:
    """End the session in this browser."""
    try:
        await callers.sign_out(request)
    except Problem as problem:
        if problem.slug == "csrf":
            raise
    response = Response(status_code=204)
    response.delete_cookie(COOKIE, httponly=True, samesite="lax")
    return response
