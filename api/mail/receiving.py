"""What providers and mail servers send to us.

A provider's request is answered when it is durable, within a second.
"""

from typing import Annotated

import msgspec
import structlog
from fastapi import APIRouter, Path, Request, Response
from starlette.concurrency import run_in_threadpool

from activity.settings import settings
from api.access.limits import Writer
from api.http.encoding import answers, json_response
from api.http.problems import Problem
from db.mail.sources import MailSourceNotFound
from producers.http import OutboundFailed
from producers.mail.inbound.classify import MAX_MAIL
from producers.mail.inbound.receive import receive_mail
from producers.mail.webhooks import receive
from producers.mail.webhooks.request import InvalidProof, InvalidReport
from producers.mail.webhooks.request import Request as Received

log = structlog.get_logger()

router = APIRouter(prefix="/v1", tags=["mail"])

MAX_BODY = 5_000_000

Provider = Annotated[
    str, Path(pattern="^[a-z][a-z0-9_]{1,30}$", description="The provider, such as sendgrid")
]
Source = Annotated[
    str, Path(pattern="^[A-Za-z0-9_-]{3,64}$", description="The source that `activity source add` made")
]


class Reports(msgspec.Struct):
    """What became of a request's reports. `unknown` are of kinds that we do not know: they are counted."""

    new: int
    repeated: int
    unknown: int


class Mail(msgspec.Struct):
    """What a mail was; `kinds` counts the events that it makes by kind, `new` those that were not known."""

    class_: str = msgspec.field(name="class")
    new: int
    repeated: int
    kinds: dict[str, int]


_ANY_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": {}}, "application/x-www-form-urlencoded": {"schema": {}}},
    }
}
_MAIL_BODY = {
    "requestBody": {
        "required": True,
        "content": {"message/rfc822": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.post(
    "/webhooks/{provider}/{source}",
    responses=answers(Reports, 200, "Durable", 404, 413),
    openapi_extra=_ANY_BODY,
)
async def take_webhook(provider: Provider, source: Source, request: Request) -> Response:
    """Accept a provider's report. Its signature is checked over the raw bytes; a repeat is stored once."""
    body = await _bounded(request, MAX_BODY)
    received = Received(
        {name.lower(): value for name, value in request.headers.items()}, body, _public(request)
    )
    try:
        counts = await run_in_threadpool(receive.receive, provider, source, received)
    except MailSourceNotFound as error:
        raise Problem("not-found", str(error)) from None
    except InvalidProof as error:
        log.warning("webhook_refused", provider=provider, source=source)
        raise Problem("unauthenticated", str(error)) from None
    except OutboundFailed as error:  # a certificate cannot be fetched now; the provider tries again
        raise Problem("unavailable", str(error), headers={"Retry-After": "10"}) from None
    except InvalidReport as error:
        raise Problem("bad-request", str(error)) from None
    return json_response(Reports(*counts))


@router.head("/webhooks/{provider}/{source}", include_in_schema=False)
@router.get("/webhooks/{provider}/{source}", include_in_schema=False)
async def answer_probe(provider: Provider, source: Source) -> Response:
    """Answer the probe that some providers send before they accept an address, of a source or of none."""
    return Response("Webhooks are accepted here by POST.\n", media_type="text/plain")


@router.post("/inbound/email", responses=answers(list[Mail], 200, "Durable", 413), openapi_extra=_MAIL_BODY)
async def take_mail(request: Request, caller: Writer) -> Response:
    """Accept one mail as it came (RFC 5322).

    A bounce, a complaint, a reply, an automatic answer, a receipt.
    """
    raw = await _bounded(request, MAX_MAIL)
    if not raw.strip():
        raise Problem("bad-request", "the body is empty: send one mail as it came")
    results = await run_in_threadpool(receive_mail, caller.tenant, raw)
    if any(result["class"] == "unreadable" for result in results):
        raise Problem("invalid", "a mail cannot be read; it was kept: `activity source unreadable` shows it")
    return json_response(results)


def _public(request: Request) -> str:
    """Return the address as the provider knows it: behind a proxy the request itself does not."""
    return settings().required("public_url").rstrip("/") + request.url.path


async def _bounded(request: Request, most: int) -> bytes:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > most:
            raise Problem("too-large", f"at most {most:,} bytes")
    return bytes(body)
