"""One mail: its texts from the templates, its headers, its tracking. What comes in as data can never become a header."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from email.header import Header
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import format_datetime, quote
from typing import Any, NamedTuple
from uuid import UUID, uuid5

from activity.errors import ActivityError
from db.sending import Due, Earlier, Mailbox
from producers import tracking
from producers.sequences.definition import Definition, Variant
from producers.sequences.html import add_pixel, rewrite_links
from producers.sequences.templates import render
from producers.tracking import Target

_NAMESPACE = UUID("1c6a0d7e-0d0e-5d0c-8c0a-6c1f3f0f7b11")  # any fixed one: Message-IDs made of it are the same for ever
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_LONGEST_SUBJECT, _LONGEST_NAME = 400, 200
_LINES = re.compile(r"[^\x00-\x1f\x7f]+(\r\n [^\x00-\x1f\x7f]+)*")


class _AsWritten(EmailPolicy):
    """Headers go out as they are given, and only if each is one header.

    The default policy parses and refolds them, which costs more than all else in a mail, decodes what looks encoded in a contact's
    name, line ends and all, and breaks long links.
    """

    def header_store_parse(self, name: str, value: str) -> tuple[str, str]:
        """Refuse a value that would end its line."""
        if not _LINES.fullmatch(value):
            raise ValueError(f"the header {name} would hold a control character")
        return name, value

    def header_max_count(self, name: str) -> None:
        """Count nothing: each header is set once."""

    def header_fetch_parse(self, name: str, value: str) -> str:
        """Return the value as it was given."""
        return value

    def fold_binary(self, name: str, value: str) -> bytes:
        """Return the header's lines."""
        return f"{name}: {value}\r\n".encode()


# Bodies are 7bit or quoted-printable, which every server takes.
_POLICY = _AsWritten(linesep="\r\n", max_line_length=990, cte_type="7bit")


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
    smtputf8: bool  # the address is written in letters that only servers with SMTPUTF8 take


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
    recipient, smtputf8 = deliverable(out.due.email or "")
    mail = EmailMessage(policy=_POLICY)
    mail["From"] = _mailbox(box.name, deliverable(box.address)[0])
    mail["To"] = _mailbox(out.due.contact_name, recipient)
    mail["Subject"] = _encoded(subject) or " "
    mail["Date"] = format_datetime(datetime.now(UTC))
    mail["Message-ID"] = f"<{out.message_id}>"
    if thread:
        mail["In-Reply-To"] = f"<{thread[-1].message_id}>"
        mail["References"] = " ".join(f"<{earlier.message_id}>" for earlier in thread[-10:])
    mail["List-Unsubscribe"] = f"<{unsubscribe}>"
    mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    mail.set_content(_printable(render(out.variant.text, known, html=False)))
    if out.variant.html:
        mail.add_alternative(
            _tracked(_printable(render(out.variant.html, known, html=True)), out.definition, target, unsubscribe), subtype="html"
        )
        mail.set_boundary(f"={out.message_id.partition('@')[0]}=")  # a made-up one costs a search of the whole text
    return Mail(subject, box.address, recipient, mail.as_bytes(), smtputf8)


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
    if not local or ascii_domain is None or len(local) > 64 or _UNPRINTABLE.search(local) or re.search(r'[\s<>()\[\],;:\\"@]', local):
        raise AddressInvalid(f"no mail can be sent to {address[:100]!r}")
    return f"{local}@{ascii_domain}", not local.isascii()


def _ascii_domain(domain: str) -> str | None:
    try:
        found = domain.encode("idna").decode()
    except UnicodeError:
        return None
    return found if re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?", found) and ".." not in found else None


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
        r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]", "\N{REPLACEMENT CHARACTER}", text.replace("\r\n", "\n").replace("\r", "\n")
    )


def _tracked(html: str, definition: Definition, target: Target, unsubscribe: str) -> str:
    def link(url: str) -> str | None:
        wanted = definition.track_clicks and url != unsubscribe and tracking.trackable(url)
        return tracking.link("c", target._replace(url=url)) if wanted else None

    html = rewrite_links(html, link)
    return add_pixel(html, tracking.link("o", target)) if definition.track_opens else html
