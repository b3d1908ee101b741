"""What the links in mails lead to: the pixel, the tracked links, and the page to unsubscribe.

Open to anybody who holds a token of ours.
"""

from base64 import b64decode
from collections.abc import Callable
from html import escape
from urllib.parse import quote

import structlog
from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response
from sqlalchemy.exc import OperationalError

from activity.errors import SettingMissing
from producers.sequences import engagement
from producers.sequences.engagement import Visit
from producers.sequences.tracking import InvalidTrackingToken, Target, TokenKind, verify

log = structlog.get_logger()
router = APIRouter(include_in_schema=False)

# What is ASCII in a target stays as the author wrote it: the browser reads it as it would have in the mail.
_AS_WRITTEN = "".join(map(chr, range(0x21, 0x7F)))
_PIXEL = b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
_NEVER_STORED = {"cache-control": "no-store, private", "x-robots-tag": "noindex"}
_PAGE_HEADERS = {
    **_NEVER_STORED,
    "content-security-policy": (
        "default-src 'none'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
}
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title></head>
<body><main><h1>{title}</h1>{body}</main></body></html>
"""


@router.api_route("/t/o/{token}", methods=["GET", "HEAD"])
def pixel(token: str, request: Request) -> Response:
    """Answer with the invisible image, whatever the token, and keep that a mail was opened."""
    target = _target("o", token)
    if target is not None:
        _record("email.opened", lambda: engagement.opened(target, _visit(request)))
    return Response(_PIXEL, media_type="image/gif", headers=_NEVER_STORED)


@router.api_route("/t/c/{token}", methods=["GET", "HEAD"])
def link(token: str, request: Request) -> Response:
    """Lead on to the target that we signed, and nowhere else, and keep that it was followed."""
    target = _target("c", token)
    if target is None or not target.url:
        return _page(404, "This link is not valid", "<p>It was cut, changed, or is too old.</p>")
    _record("email.clicked", lambda: engagement.clicked(target, _visit(request)))
    location = quote(target.url, safe=_AS_WRITTEN)
    headers = {**_NEVER_STORED, "referrer-policy": "no-referrer", "location": location}
    return Response(status_code=302, headers=headers)


@router.get("/u/{token}")
def ask(token: str) -> Response:
    """Show a button: following a link unsubscribes nobody, since scanners follow links too."""
    target = _target("u", token)
    address = None if target is None else engagement.recipient(target)
    if address is None:
        return _unknown()
    button = '<form method="post"><button type="submit">Unsubscribe</button></form>'
    return _page(200, "Unsubscribe", f"<p>No more e-mail to {_named(address)}?</p>{button}")


@router.post("/u/{token}")
def unsubscribe(token: str, request: Request) -> Response:
    """Unsubscribe, for the button and for mail programs (RFC 8058); a repeat changes nothing."""
    target = _target("u", token)
    one_click = not request.headers.get("referer") and not request.headers.get("origin")
    address = None if target is None else engagement.unsubscribe(target, "one-click" if one_click else "link")
    if address is None:
        return _unknown()
    return _page(200, "Unsubscribed", f"<p>We send no more e-mail to {_named(address)}.</p>")


def _named(address: str) -> str:
    return f"<b>{escape(address)}</b>" if address else "this address"


def _unknown() -> Response:
    return _page(
        404,
        "This link is not valid",
        "<p>It was cut, changed, or is too old. Please answer the e-mail with the word unsubscribe.</p>",
    )


def _target(kind: TokenKind, token: str) -> Target | None:
    try:
        return verify(kind, token)
    except (InvalidTrackingToken, SettingMissing):
        return None


def _record(kind: str, keep: Callable[[], bool]) -> None:
    """Keep what happened.

    While the database is away the recipient is served all the same, and the log says what was lost.
    """
    try:
        keep()
    except OperationalError:
        log.error("visit_lost", type=kind)


def _visit(request: Request) -> Visit:
    return Visit(request.headers.get("user-agent", ""), request.headers.get("referer", ""), request.method)


def _page(status: int, title: str, body: str) -> Response:
    return HTMLResponse(_PAGE.format(title=title, body=body), status, headers=_PAGE_HEADERS)
