"""Errors as RFC 9457 problems: each kind has a page at /problems/<slug> that says what to do."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import NamedTuple

import msgspec
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException

from activity.errors import ActivityError, InvalidEvent

MEDIA_TYPE = "application/problem+json"


class Kind(NamedTuple):
    """One kind of problem: its status, its title, and what its page says."""

    status: int
    title: str
    help: str


KINDS: Mapping[str, Kind] = {
    "bad-request": Kind(400, "The request is malformed", "Send what the OpenAPI description says."),
    "cursor-mismatch": Kind(
        400,
        "The cursor belongs to other filters",
        "A cursor continues the list it came from: repeat the same filters with it, or leave it out.",
    ),
    "unauthenticated": Kind(
        401,
        "Who is calling?",
        "Send an API key or a token of your CRM as 'Authorization: Bearer ...', or sign in on the page.",
    ),
    "forbidden": Kind(
        403,
        "Not allowed",
        "The key or token lacks the scope that this needs: 'activity key add --scope ...' makes one that "
        "has it.",
    ),
    "csrf": Kind(
        403,
        "The page's token is missing or wrong",
        "A change made with the session cookie needs the X-CSRF-Token that GET /v1/session returns.",
    ),
    "not-found": Kind(
        404, "Nothing is here", "The address is wrong, or what it names does not exist in your workspace."
    ),
    "method-not-allowed": Kind(
        405, "This cannot be done here", "The Allow header names the methods this address takes."
    ),
    "not-acceptable": Kind(
        406, "No such representation", "Ask for application/json or application/cloudevents+json."
    ),
    "conflict": Kind(409, "Something else was done meanwhile", "Read the record again, then decide."),
    "gone": Kind(
        410,
        "Erased",
        "The content was erased on request of the person it was about; that it happened stays in the log.",
    ),
    "too-large": Kind(
        413,
        "Too large",
        "Send fewer or smaller events: 500 of 64 KiB each at the most, and no more bytes in all than the "
        "detail says.",
    ),
    "unsupported-media-type": Kind(
        415,
        "This media type is not read",
        "Send application/json, application/cloudevents+json or application/cloudevents-batch+json.",
    ),
    "invalid": Kind(
        422,
        "The content is not valid",
        "Each entry of 'errors' names the place, its fault, and what would be right.",
    ),
    "idempotency-key-reused": Kind(
        422,
        "This Idempotency-Key was used for something else",
        "A key stands for one event for good. Make a new one for a new event; a retry repeats the same "
        "content.",
    ),
    "quota-exceeded": Kind(
        429,
        "Too many requests",
        "Wait as long as Retry-After says. Batches of up to 500 events count as one request.",
    ),
    "too-many-streams": Kind(
        429,
        "Too many open streams",
        "Close a stream, or share one between tabs. Retry-After says when to try again.",
    ),
    "internal": Kind(500, "A defect of ours", "Tell the operator the request's id; the log holds the rest."),
    "unavailable": Kind(
        503,
        "A server behind this one is away",
        "Nothing was lost; try again after Retry-After. Repeat a write with the same Idempotency-Key.",
    ),
}
_BY_STATUS = {kind.status: slug for slug, kind in reversed(list(KINDS.items()))}


class Problem(ActivityError):
    """A request that cannot be answered: `slug` is one of KINDS; `errors` are {pointer, detail}."""

    def __init__(
        self,
        slug: str,
        detail: str,
        errors: Sequence[Mapping[str, str]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.slug, self.detail, self.errors, self.headers = slug, detail, errors, headers


def problem(
    slug: str,
    detail: str,
    request_id: str,
    errors: Sequence[Mapping[str, str]] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return the answer that tells a problem."""
    kind = KINDS[slug]
    body: dict[str, object] = {
        "type": f"/problems/{slug}",
        "title": kind.title,
        "status": kind.status,
        "detail": detail,
        "instance": f"urn:uuid:{request_id}",
    }
    if errors:
        body["errors"] = errors
    return Response(msgspec.json.encode(body), kind.status, headers, MEDIA_TYPE)


def invalid(error: InvalidEvent, prefix: str = "") -> dict[str, str]:
    """Return an invalid event's entry for `errors`."""
    pointer = "/".join((prefix, *error.field.replace("[", ".").replace("]", "").split(".")))
    return {
        "pointer": f"#{pointer}" if pointer.startswith("/") else f"#/{pointer}",
        "detail": f"{error.fault}; {error.right}",
    }


async def _from_problem(request: Request, error: Problem) -> Response:
    return problem(error.slug, error.detail, request.state.request_id, error.errors, error.headers)


async def _from_event(request: Request, error: InvalidEvent) -> Response:
    return problem("invalid", str(error), request.state.request_id, [invalid(error)])


async def _from_parameters(request: Request, error: RequestValidationError) -> Response:
    errors = [
        {"pointer": "#/" + "/".join(map(str, one["loc"])), "detail": str(one["msg"])}
        for one in error.errors()
    ]
    text = "; ".join(one["detail"] for one in errors)
    return problem("invalid", text, request.state.request_id, errors)


async def _from_http(request: Request, error: HTTPException) -> Response:
    slug = _BY_STATUS.get(error.status_code, "bad-request" if error.status_code < 500 else "internal")
    return problem(slug, str(error.detail), request.state.request_id, headers=error.headers)


async def _from_database(request: Request, error: DBAPIError | PoolTimeout) -> Response:
    is_away = isinstance(error, PoolTimeout | OperationalError) or error.connection_invalidated
    if not is_away:
        raise error
    text = "the database does not answer"
    return problem("unavailable", text, request.state.request_id, headers={"Retry-After": "2"})


def install(app: FastAPI) -> None:
    """Make every error of the application a problem."""
    for kind, handler in (
        (Problem, _from_problem),
        (InvalidEvent, _from_event),
        (RequestValidationError, _from_parameters),
        (HTTPException, _from_http),
        (DBAPIError, _from_database),
        (PoolTimeout, _from_database),
    ):
        app.add_exception_handler(kind, handler)  # type: ignore[arg-type]  # each takes its own kind of error


router = APIRouter(include_in_schema=False)


@router.get("/problems/{slug}")
def explain(slug: str) -> HTMLResponse:
    """Show the page of one kind of problem."""
    kind = KINDS.get(slug)
    if kind is None:
        raise Problem("not-found", "there is no such kind of problem")
    title = escape(kind.title)
    return HTMLResponse(
        f"<!doctype html><html lang=en><title>{title}</title><h1>{title}</h1><p>Status "
        f"{kind.status}.</p><p>{escape(kind.help)}</p></html>"
    )
