"""One mail: its texts from the templates, its headers, its tracking. Data can never become a header."""

import re
from binascii import b2a_qp
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.base64mime import body_encode
from email.header import Header
from email.utils import format_datetime, quote
from typing import NamedTuple
from uuid import UUID, uuid5

from activity.address import InvalidDomain, ascii_domain
from activity.errors import ActivityError
from db.sequences.due import Due, Earlier
from db.sequences.limits import Mailbox
from producers.sequences import tracking
from producers.sequences.definition import SequenceDefinition, Variant
from producers.sequences.html import add_pixel, rewrite_links
from producers.sequences.templates import render
from producers.sequences.tracking import Target

# Any fixed one will do: the Message-IDs made of it are the same forever.
_NAMESPACE = UUID("1c6a0d7e-0d0e-5d0c-8c0a-6c1f3f0f7b11")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_LONGEST_SUBJECT, _LONGEST_NAME = 400, 200
_LINES = re.compile(r"[^\x00-\x1f\x7f]+(\r\n [^\x00-\x1f\x7f]+)*")
_NOT_LOCAL = re.compile(rf"""{_UNPRINTABLE.pattern}|[\s<>()\[\],;:\\"@]""")
_DOMAIN = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?")
_NOT_IN_BODY = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


class InvalidAddress(ActivityError, ValueError):
    """An address that no mail can be sent to."""


class Outgoing(NamedTuple):
    """A claimed message: all that is needed to send it."""

    due: Due
    definition: SequenceDefinition
    variant: Variant
    step: int
    row_id: int
    message_id: str
    thread_id: str


class ComposedMail(NamedTuple):
    """A mail ready for the mail server."""

    subject: str
    sender: str
    recipient: str
    content: bytes  # with CRLF, before dots are doubled
    smtputf8: bool  # an address has letters that only servers with SMTPUTF8 accept


def thread_id(tenant: int, enrollment: int) -> str:
    """Return the id of an enrollment's thread."""
    return uuid5(_NAMESPACE, f"{tenant}/{enrollment}").hex


def message_id(tenant: int, enrollment: int, step: int, mailbox: str) -> str:
    """Return the Message-ID, without < and >, of an enrollment's step: the same on every attempt."""
    domain = _mail_domain(mailbox.rpartition("@")[2]) or "localhost"
    return f"{uuid5(_NAMESPACE, f'{tenant}/{enrollment}/{step}').hex}@{domain}"


def names(due: Due, box: Mailbox, unsubscribe_url: str = "") -> dict[str, object]:
    """Return the names that a mail's templates may use, with their values."""
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


def compose(out: Outgoing, box: Mailbox) -> ComposedMail:
    """Write the mail. Raises InvalidTemplate or InvalidAddress, with what is wrong."""
    target = Target(out.due.tenant_id, out.row_id)
    unsubscribe = tracking.link("u", target)
    known = names(out.due, box, unsubscribe)
    thread = [mail for mail in out.due.earlier if mail.step < out.step and mail.state in ("sent", "unknown")]
    subject = _subject(render(out.variant.subject, known, html=False), thread)
    sender, recipient = deliverable(box.address), deliverable(out.due.email or "")
    headers = {
        "From": _mailbox(box.name, sender.text),
        "To": _mailbox(out.due.contact_name, recipient.text),
        "Subject": _encoded(subject) or " ",
        "Date": format_datetime(datetime.now(UTC)),
        "Message-ID": f"<{out.message_id}>",
        **_references(thread),
        "List-Unsubscribe": f"<{unsubscribe}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }
    bodies = {"plain": _printable(render(out.variant.text, known, html=False))}
    if out.variant.html:
        html = _printable(render(out.variant.html, known, html=True))
        bodies["html"] = _tracked(html, out.definition, target, unsubscribe)
    content = _written(headers, bodies, boundary=f"=_{out.message_id.partition('@')[0]}")
    return ComposedMail(subject, sender.text, recipient.text, content, sender.smtputf8 or recipient.smtputf8)


def _references(thread: Sequence[Earlier]) -> dict[str, str]:
    """Return the headers that put a mail into its thread."""
    if not thread:
        return {}
    return {
        "In-Reply-To": f"<{thread[-1].message_id}>",
        "References": " ".join(f"<{earlier.message_id}>" for earlier in thread[-10:]),
    }


def _written(headers: Mapping[str, str], bodies: Mapping[str, str], boundary: str) -> bytes:
    """Return the mail. Headers go out as they are given, and only if each is one header.

    The standard library would parse and refold them. That costs more than the rest of a mail together, breaks
    long links, and decodes what looks like an encoded word in a contact's name, with its line ends.
    """
    for name, value in headers.items():
        if not _LINES.fullmatch(value):
            raise ValueError(f"the header {name} would hold a control character")
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items()) + "MIME-Version: 1.0\r\n"
    parts = [_part(kind, text) for kind, text in bodies.items()]
    if len(parts) == 1:
        return head.encode() + parts[0]
    # No line of a part begins like this: "=_" cannot stand in quoted-printable, nor "-" in base64.
    fence = f"--{boundary}".encode()
    head += f'Content-Type: multipart/alternative; boundary="{boundary}"\r\n\r\n'
    return head.encode() + b"".join(fence + b"\r\n" + part + b"\r\n" for part in parts) + fence + b"--\r\n"


def _part(kind: str, text: str) -> bytes:
    """Return a text with its headers: quoted-printable, or base64 where that is much shorter."""
    data = (text.removesuffix("\n") + "\n").replace("\n", "\r\n").encode()
    encoding, body = "quoted-printable", b2a_qp(data)
    if len(body) > 2 * len(data):
        encoding, body = "base64", body_encode(data, eol="\r\n").encode()
    head = f'Content-Type: text/{kind}; charset="utf-8"\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n'
    return head.encode() + body


def _mailbox(name: str, address: str) -> str:
    """Return a name and an address as a header has them."""
    name = _one_line(name, _LONGEST_NAME)
    if not name.isascii():
        return f"{_encoded(name)} <{address}>"
    return f'"{quote(name)}" <{address}>' if name else address


def _encoded(text: str) -> str:
    """Return a header's text, in encoded words where it is not ASCII."""
    return text if text.isascii() else Header(text, "utf-8").encode(linesep="\r\n")


class DeliverableAddress(NamedTuple):
    """An address as mail servers accept it."""

    text: str
    smtputf8: bool  # only servers with SMTPUTF8 accept it


def deliverable(address: str) -> DeliverableAddress:
    """Return the address as mail servers accept it. Raises InvalidAddress."""
    local, _, domain = address.strip().rpartition("@")
    known = _mail_domain(domain)
    if known is None or not 0 < len(local) <= 64 or _NOT_LOCAL.search(local):
        raise InvalidAddress(f"no mail can be sent to {address[:100]!r}")
    return DeliverableAddress(f"{local}@{known}", not local.isascii())


def _mail_domain(domain: str) -> str | None:
    """Return a domain in its ASCII form, or None where it is not one that mail can go to."""
    try:
        found = ascii_domain(domain)
    except InvalidDomain:
        return None
    return found if _DOMAIN.fullmatch(found) and ".." not in found else None


def _subject(rendered: str, thread: Sequence[Earlier]) -> str:
    """Return the step's subject in one line; without one of its own it answers the thread's first mail."""
    subject = _one_line(rendered, _LONGEST_SUBJECT)
    if subject or not thread:
        return subject
    first = next((mail.subject for mail in thread if mail.subject), "")
    return first if first.lower().startswith("re:") else f"Re: {first}"


def _one_line(text: str, longest: int) -> str:
    # What looks like an encoded word would be decoded by whoever reads the header, with its line ends.
    return " ".join(_UNPRINTABLE.sub(" ", text).replace("=?", "= ?").split())[:longest].strip()


def _printable(text: str) -> str:
    """Return a body's text without what no mail may hold.

    That is lone surrogates, and control characters other than line ends and tabs.
    """
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    return _NOT_IN_BODY.sub("\N{REPLACEMENT CHARACTER}", lines)


def _tracked(html: str, definition: SequenceDefinition, target: Target, unsubscribe: str) -> str:
    def link(url: str) -> str | None:
        wanted = definition.track_clicks and url != unsubscribe and tracking.trackable(url)
        return tracking.link("c", target._replace(url=url)) if wanted else None

    html = rewrite_links(html, link)
    return add_pixel(html, tracking.link("o", target)) if definition.track_opens else html
