"""Bodies in and out: msgspec reads and writes them, and the OpenAPI description is made of the same types."""

from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

import msgspec
from fastapi import Request, Response

from activity.errors import InvalidEvent
from api.http.problems import KINDS, MEDIA_TYPE, Problem, invalid

MAX_BODY = 8 * 1024 * 1024  # bytes
MAX_DOCUMENT = 1024 * 1024  # bytes of a body that is no list of events
T = TypeVar("T")

encode = msgspec.json.Encoder().encode


def json_response(
    content: object,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    media_type: str = "application/json",
) -> Response:
    """Return `content` as JSON."""
    return Response(encode(content), status, headers, media_type)


async def raw_body(request: Request, most: int = MAX_BODY) -> bytes:
    """Return the body, or raise the problem too-large before reading more than is allowed."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > most:
            raise Problem("too-large", f"a request holds at most {most} bytes")
        parts.append(part)
    return b"".join(parts)


def decode(body: bytes, kind: type[T]) -> T:
    """Return the body as `kind`, or raise the problem that names the fault."""
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        raise Problem("invalid", str(error), [fault(error)]) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Problem("bad-request", f"the body is no JSON: {error}") from None


def fault(error: msgspec.ValidationError) -> dict[str, str]:
    """Return the entry of `errors` for what a body's type forbids."""
    text, _, path = str(error).partition(" - at `$")
    return invalid(InvalidEvent(path.strip("`").lstrip("."), text, "see the OpenAPI description"))


def body(kind: type[T]) -> Callable[[Request], Awaitable[T]]:
    """Return a dependency that reads a JSON body of this type."""

    async def read(request: Request) -> T:
        media_type = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
        if media_type != "application/json":
            raise Problem("unsupported-media-type", f"{media_type!r:.80} is not read here")
        return decode(await raw_body(request, MAX_DOCUMENT), kind)

    return read


# --- the OpenAPI description ---

SCHEMAS: dict[str, object] = {}


def schema(kind: object) -> dict[str, object]:
    """Return a reference to the JSON Schema of a type, which is added to the description."""
    (reference,), parts = msgspec.json.schema_components([kind], ref_template="#/components/schemas/{name}")
    SCHEMAS.update(parts)
    return reference


def takes(kind: object, *media_types: str) -> dict[str, object]:
    """Describe a request's body: for `openapi_extra`."""
    content = {media_type: {"schema": schema(kind)} for media_type in media_types or ("application/json",)}
    return {"requestBody": {"required": True, "content": content}}


PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "instance"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string", "format": "uri"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"pointer": {"type": "string"}, "detail": {"type": "string"}},
            },
        },
    },
}
SCHEMAS["Problem"] = PROBLEM


def answers(
    kind: object, status: int = 200, description: str = "Done", *problems: int
) -> dict[int | str, dict[str, object]]:
    """Describe a route's answers: one of `kind`, and problems."""
    described: dict[int | str, dict[str, object]] = {
        status: {"description": description, "content": {"application/json": {"schema": schema(kind)}}}
    }
    for code in sorted({400, 401, 403, 422, 429, 503, *problems}):
        described[code] = problem_answer(code)
    return described


def problem_answer(status: int) -> dict[str, object]:
    """Describe the answer that tells a problem."""
    title = next((kind.title for kind in KINDS.values() if kind.status == status), "Problem")
    return {
        "description": title,
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
