"""One mail: its texts from the templates, its headers, its tracking. What comes in as data can never become a header."""

import re
from binascii import b2a_qp
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.base64mime import body_encode
from email.header import Header
from email.utils import format_datetime, quote
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID, uuid5

from activity.errors import ActivityError
from db.sequences.sending import Due, Earlier, Mailbox
from producers.sequences import tracking
from producers.sequences.definition import Definition, Variant
from producers.sequences.html import add_pixel, rewrite_links
from producers.sequences.templates import render
from producers.sequences.tracking import Target

_NAMESPACE = UUID(
    "1c6a0d7e-0d0e-5d0c-8c0a-6c1f3f0f7b11"
)  # any fixed one: Message-IDs made of it are the same for ever
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_LONGEST_SUBJECT, _LONGEST_NAME = 400, 200
_LINES = re.compile(r"[^\x00-\x1f\x7f]+(\r\n [^\x00-\x1f\x7f]+)*")


class AddressInvalid(ActivityError, ValueError):
    """An address that no mail can be sent to."""


class Outgoing(NamedTuple):
    """A claimed message: all that is needed to send it."""

    due: Due
    definition: Definition
    variant: Variant
    step: int
    row_id: int
    message_id: str
    thread_id: str


class Mail(NamedTuple):
    """A mail ready for the mail server."""

    subject: str
    sender: str
    recipient: str
    content: bytes  # with CRLF, before dots are doubled
    smtputf8: bool  # an address is written in letters that only servers with SMTPUTF8 take


def thread_id(tenant: int, enrolment: int) -> str:
    """Return the id of an enrolment's thread."""
    return uuid5(_NAMESPACE, f"{tenant}/{enrolment}").hex


def message_id(tenant: int, enrolment: int, step: int, mailbox: str) -> str:
    """Return the Message-ID, without < and >, that this step of this enrolment has, however often it is tried."""
    domain = _ascii_domain(mailbox.rpartition("@")[2]) or "localhost"
    return f"{uuid5(_NAMESPACE, f'{tenant}/{enrolment}/{step}').hex}@{domain}"


def names(due: Due, box: Mailbox, unsubscribe_url: str = "") -> dict[str, Any]:
    """Return what the templates of a mail know."""
    return {
        "contact": {
            "id": due.contact_id,
            "name": due.contact_name,
            "first_name": due.contact_name.split(" ", 1)[0],
            "email": due.email,
            "fields": due.fields,
        },
        "account": {
            "id": due.account_id,
            "name": due.account_name or "",
            "domain": due.account_domain or "",
            "fields": due.account_fields or {},
        },
        "sender": {"name": box.name, "email": box.address},
        "unsubscribe_url": unsubscribe_url,
    }


def compose(out: Outgoing, box: Mailbox) -> Mail:
    """Write the mail. Raises TemplateInvalid or AddressInvalid, with what is wrong."""
    target = Target(out.due.tenant_id, out.row_id)
    unsubscribe = tracking.link("u", target)
    known = names(out.due, box, unsubscribe)
    thread = [mail for mail in out.due.earlier if mail.step < out.step and mail.state in ("sent", "unknown")]
    subject = _subject(render(out.variant.subject, known, html=False), thread)
    (sender, sender_utf8), (recipient, recipient_utf8) = (
        deliverable(box.address),
        deliverable(out.due.email or ""),
    )
    headers = {
        "From": _mailbox(box.name, sender),
        "To": _mailbox(out.due.contact_name, recipient),
        "Subject": _encoded(subject) or " ",
        "Date": format_datetime(datetime.now(UTC)),
        "Message-ID": f"<{out.message_id}>",
    }
    if thread:
        headers["In-Reply-To"] = f"<{thread[-1].message_id}>"
        headers["References"] = " ".join(f"<{earlier.message_id}>" for earlier in thread[-10:])
    headers |= {"List-Unsubscribe": f"<{unsubscribe}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
    bodies = {"plain": _printable(render(out.variant.text, known, html=False))}
    if out.variant.html:
        html = _printable(render(out.variant.html, known, html=True))
        bodies["html"] = _tracked(html, out.definition, target, unsubscribe)
    content = _written(headers, bodies, boundary=f"=_{out.message_id.partition('@')[0]}")
    return Mail(subject, sender, recipient, content, sender_utf8 or recipient_utf8)


def _written(headers: Mapping[str, str], bodies: Mapping[str, str], boundary: str) -> bytes:
    """Return the mail. Headers go out as they are given, and only if each is one header.

    The standard library would parse and refold them, which costs more than all else in a mail, decodes what looks encoded in a contact's
    name, line ends and all, and breaks long links.
    """
    for name, value in headers.items():
        if not _LINES.fullmatch(value):
            raise ValueError(f"the header {name} would hold a control character")
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items()) + "MIME-Version: 1.0\r\n"
    parts = [_part(kind, text) for kind, text in bodies.items()]
    if len(parts) == 1:
        return head.encode() + parts[0]
    fence = (
        f"--{boundary}".encode()
    )  # no line of a part begins so: "=_" is nothing in quoted-printable, and "-" nothing in base64
    head += f'Content-Type: multipart/alternative; boundary="{boundary}"\r\n\r\n'
    return head.encode() + b"".join(fence + b"\r\n" + part + b"\r\n" for part in parts) + fence + b"--\r\n"


def _part(kind: str, text: str) -> bytes:
    """Return a text with its headers, encoded as every server takes it: quoted-printable, or base64 where that is much shorter."""
    data = (text.removesuffix("\n") + "\n").replace("\n", "\r\n").encode()
    encoding, body = "quoted-printable", b2a_qp(data)
    if len(body) > 2 * len(data):
        encoding, body = "base64", body_encode(data, eol="\r\n").encode()
    return (
        f'Content-Type: text/{kind}; charset="utf-8"\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n'.encode()
        + body
    )


def _mailbox(name: str, address: str) -> str:
    """Return a name and an address as a header has them."""
    name = _one_line(name, _LONGEST_NAME)
    if not name.isascii():
        return f"{_encoded(name)} <{address}>"
    return f'"{quote(name)}" <{address}>' if name else address


def _encoded(text: str) -> str:
    """Return a header's text, in encoded words where it is not ASCII."""
    return text if text.isascii() else Header(text, "utf-8").encode(linesep="\r\n")


def deliverable(address: str) -> tuple[str, bool]:
    """Return the address as mail servers take it, and whether they need SMTPUTF8 for it. Raises AddressInvalid."""
    local, _, domain = address.strip().rpartition("@")
    ascii_domain = _ascii_domain(domain)
    if (
        not local
        or ascii_domain is None
        or len(local) > 64
        or _UNPRINTABLE.search(local)
        or re.search(r'[\s<>()\[\],;:\\"@]', local)
    ):
        raise AddressInvalid(f"no mail can be sent to {address[:100]!r}")
    return f"{local}@{ascii_domain}", not local.isascii()


@lru_cache(maxsize=1000)
def _ascii_domain(domain: str) -> str | None:
    try:
        found = domain.encode("idna").decode()
    except UnicodeError:
        return None
    return (
        found
        if re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?", found) and ".." not in found
        else None
    )


def _subject(rendered: str, thread: Sequence[Earlier]) -> str:
    """Return the step's subject in one line; without one of its own it answers the thread's first mail."""
    subject = _one_line(rendered, _LONGEST_SUBJECT)
    if subject or not thread:
        return subject
    first = next((mail.subject for mail in thread if mail.subject), "")
    return first if first.lower().startswith("re:") else f"Re: {first}"


def _one_line(text: str, longest: int) -> str:
    # What looks like an encoded word would be decoded by whoever reads the header, line ends and all.
    return " ".join(_UNPRINTABLE.sub(" ", text).replace("=?", "= ?").split())[:longest].strip()


def _printable(text: str) -> str:
    """Return a body's text without what no mail may hold: lone surrogates and control characters other than line ends and tabs."""
    return re.sub(
        r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]",
        "\N{REPLACEMENT CHARACTER}",
        text.replace("\r\n", "\n").replace("\r", "\n"),
    )


def _tracked(html: str, definition: Definition, target: Target, unsubscribe: str) -> str:
    def link(url: str) -> str | None:
        wanted = definition.track_clicks and url != unsubscribe and tracking.trackable(url)
        return tracking.link("c", target._replace(url=url)) if wanted else None

    html = rewrite_links(html, link)
    return add_pixel(html, tracking.link("o", target)) if definition.track_opens else html
