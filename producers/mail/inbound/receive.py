"""Mail that comes in: bounces, complaints, receipts, automatic answers, replies. Each is told apart before anything is made of it."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import Message
from email.utils import getaddresses, parsedate_to_datetime
from typing import Any, Literal

import structlog
from mailparser_reply import EmailReplyParser
from selectolax.lexbor import LexborHTMLParser
from sqlalchemy.orm import Session

from db.engine import begin
from db.mail import sources
from producers.mail import reading, report
from producers.mail.event import Kind, MailEvent
from producers.mail.inbound.bounces import Failure, failures
from producers.untrusted_html import too_deep

log = structlog.get_logger()

MAX_MAIL = 25_000_000
_READ_BYTES = 250_000  # of a mail that are looked at: its text comes before what is attached, a report before the mail that it is about
_READ = 30_000  # characters of a mail's text that are looked at
_LINE = re.compile(".{1,998}")  # RFC 5322, 2.1.1
_MAILS = 100  # mails of an mbox file at the most
_FROM_LINE = re.compile(rb"(?:\A|(?<=\n\n))From [^\n]*\d{4}[^\n]*\n")
_MARK = re.compile(r"<[^<>]*>")
_PARTS = 200  # parts of a mail that are looked at

Class = Literal[
    "bounce", "delayed", "delivered", "complaint", "opt_out", "receipt", "auto_reply", "reply", "other"
]

_ID = re.compile(r"<[^<>\s@]+@[^<>\s]+>|<[^<>\s@]{3,}>")
_AUTO_HEADERS = (
    "X-Autoreply",
    "X-Autorespond",
    "X-Autoresponder",
    "X-Auto-Reply",
    "X-Auto-Responded",
    "X-MS-Exchange-Inbox-Rules-Loop",
    "X-Vacation",
)
_AUTO_SUBJECT = re.compile(
    r"^\W*(re:\s*)?(auto(matic|matische|mated)?[ -]?(reply|response|answer|antwort|respond)|autoreply|out of (the )?office|ooo\b|abwesen"
    r"|automatisch|réponse automatique|absence|respuesta automática|fuera de|risposta automatica|fuori ufficio|resposta automática|autosvar"
    r"|automatisk svar|automaattinen|odpowiedź automatyczna|automatická|on (annual )?(leave|vacation|holiday)|away from)",
    re.IGNORECASE,
)
_RE = re.compile(r"^\s*((re|aw|sv|antw|odp|rif|ynt|回复|答复)(\[\d+\])?\s*[:\uff1a]\s*)+", re.IGNORECASE)
_QUOTED = re.compile(
    r"(^[^\n>]*[<@\d][^\n]*\n)?^[^\n>][^\n]*:[ \t]*\n\s*(^>[^\n]*(\n|\Z))+|^>[^\n]*(\n|\Z)", re.MULTILINE
)
_LANGUAGES = ["en", "de", "fr", "es", "it", "nl", "pl", "pt", "sv", "da"]
_FEEDBACK: dict[str, Class] = {
    "not-spam": "other",
    "auth-failure": "other",
    "opt-out": "opt_out",
    "opt-out-list": "opt_out",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbound:
    """What a mail is, and what it says. `references` are the mails before it in the thread, the last one last."""

    class_: Class
    identity: str
    failures: Sequence[Failure] = ()
    in_reply_to: Sequence[str] = ()
    references: Sequence[str] = ()
    from_address: str | None = None
    from_name: str | None = None
    message_id: str | None = None
    subject: str | None = None
    sent_at: datetime | None = None
    text: str = ""
    reported: str | None = None  # the Message-ID of the mail that a report is about
    recipient: str | None = None  # whom that mail went to
    feedback_type: str | None = None


def read_mail(raw: bytes) -> Inbound:
    """Tell what a mail is. Never raises: what cannot be read is `other`."""
    message = message_from_bytes(raw.lstrip(b"\r\n")[:_READ_BYTES])
    parts = _parts(message)
    text = _text(parts)
    found = failures(message, text)
    feedback = _fields(parts, "message/feedback-report")
    class_ = _class(message, parts, found, feedback)
    names = [(name, address) for name, address in getaddresses([_header(message, "From")]) if address]
    references = _ids(_header(message, "References"))
    return Inbound(
        class_=class_,
        identity=reading.identity(
            *(_header(message, name) for name in ("Message-ID", "From", "To", "Date", "Subject")),
            reading.digest(text),
        ),
        failures=found,
        in_reply_to=_ids(_header(message, "In-Reply-To")),
        references=references,
        from_address=names[0][1] if names else None,
        from_name=names[0][0] if names else None,
        message_id=next(iter(_ids(_header(message, "Message-ID"))), None),
        subject=_header(message, "Subject") or None,
        sent_at=_date(message),
        text=reply_text(text) if class_ in ("reply", "auto_reply", "other") else "",
        reported=_reported_id(message, parts, text),
        recipient=_complainer(parts, feedback),
        feedback_type=feedback.get("feedback-type"),
    )


def _class(
    message: Message, parts: Sequence[Message], found: Sequence[Failure], feedback: dict[str, str]
) -> Class:
    if feedback:
        return _FEEDBACK.get(feedback.get("feedback-type", "abuse").lower(), "complaint")
    if any(part.get_content_type() == "message/disposition-notification" for part in parts):
        return "receipt"
    if found:
        actions = {failure.action for failure in found}
        return "bounce" if "failed" in actions else "delayed" if "delayed" in actions else "delivered"
    if is_automatic(message):
        return "auto_reply"
    return (
        "reply" if _ids(_header(message, "In-Reply-To")) or _ids(_header(message, "References")) else "other"
    )


def is_automatic(message: Message) -> bool:
    """Say whether a machine answered (RFC 3834, and what came before it)."""
    submitted = _header(message, "Auto-Submitted").split(";")[0].strip().lower()
    if submitted not in ("", "no") or any(message.get(name) is not None for name in _AUTO_HEADERS):
        return True
    if _header(message, "Precedence").strip().lower() in ("auto_reply", "auto-reply"):
        return True
    return bool(_AUTO_SUBJECT.search(_header(message, "Subject")))


def reply_text(text: str) -> str:
    """Return what a person wrote, without the mail that they quote."""
    answer = str(EmailReplyParser(languages=_LANGUAGES).parse_reply(text) or "")
    return _QUOTED.sub("", answer).strip()


def _parts(message: Message) -> list[Message]:
    return [part for _, part in zip(range(_PARTS), message.walk(), strict=False)]


def _header(message: Message, name: str) -> str:
    """Return a header's text, as much of it as can be read."""
    value = message.get(name)
    if value is None:
        return ""
    try:
        text = str(make_header(decode_header(str(value))))
    except (MessageError, LookupError, ValueError):
        text = str(value)
    return " ".join(text.replace("\x00", "").encode("utf-8", "replace").decode().split())[:10_000]


def _ids(value: str) -> list[str]:
    return list(dict.fromkeys(_ID.findall(value)))[:100]


def _date(message: Message) -> datetime | None:
    try:
        found = parsedate_to_datetime(_header(message, "Date"))
    except (ValueError, TypeError, IndexError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _text(parts: Sequence[Message]) -> str:
    """Return what a mail says to people: its plain texts, else its HTML without the marks."""
    plain = [
        _decoded(part)
        for part in parts
        if part.get_content_type() == "text/plain" and not part.get_filename()
    ]
    if any(one.strip() for one in plain):
        return _tidy("\n".join(plain))
    if len(parts) == 1 and parts[0].get_content_maintype() == "multipart":
        return _tidy(_decoded(parts[0]))  # it says it has parts, and has none
    html = next((_decoded(part) for part in parts if part.get_content_type() == "text/html"), "")
    if too_deep(html.encode("utf-8", "replace")):  # written to hurt a parser: its words alone
        return _tidy(_MARK.sub("\n", html))
    return _tidy(LexborHTMLParser(html).text(separator="\n")) if html else ""


def _tidy(text: str) -> str:
    """Return a text with lines of the length that mail may have, none of them ending in blanks, and one empty line for many.

    Patterns that look for quotes and addresses take the square of a line's length, and of the empty lines; anybody may send those.
    """
    lines = [part.rstrip() for line in text[:_READ].split("\n") for part in _LINE.findall(line) or [""]]
    return "\n".join(line for before, line in zip(["x", *lines], lines, strict=False) if before or line)


def _decoded(part: Message) -> str:
    payload = part.get_payload(decode=True)
    raw = payload if isinstance(payload, bytes) else b""
    try:
        return raw.decode(part.get_content_charset() or "utf-8", "replace").replace("\r\n", "\n")
    except LookupError:
        return raw.decode("latin-1").replace("\r\n", "\n")


def _fields(parts: Sequence[Message], kind: str) -> dict[str, str]:
    """Return the fields of the first part of a kind, which the parser reads as a message inside it, or leaves as text."""
    for part in parts:
        if part.get_content_type() == kind:
            inner = part.get_payload()
            held = (
                inner[0]
                if isinstance(inner, list) and inner
                else message_from_bytes(_decoded(part).strip().encode())
            )
            return (
                {name.lower(): str(value).strip() for name, value in held.items()}
                if isinstance(held, Message)
                else {}
            )
    return {}


def _reported_id(message: Message, parts: Sequence[Message], text: str) -> str | None:
    """Return the Message-ID of the mail that a report holds or quotes."""
    receipt = _fields(parts, "message/disposition-notification").get("original-message-id", "")
    inner = (_header(part, "Message-ID") for part in parts[1:] if part.get("Message-ID"))
    quoted = re.search(
        r"^[ \t]*message-id:\s*(<[^<>\s]+>)",
        "\n".join([text, *_headers_only(parts)]),
        re.IGNORECASE | re.MULTILINE,
    )
    found = next((id_ for value in (receipt, *inner) for id_ in _ids(value)), None)
    return found or (quoted[1] if quoted else None)


def _headers_only(parts: Sequence[Message]) -> list[str]:
    return [
        _decoded(part)
        for part in parts
        if part.get_content_type() in ("text/rfc822-headers", "message/rfc822-headers")
    ]


def _complainer(parts: Sequence[Message], feedback: dict[str, str]) -> str | None:
    """Return whom the reported mail went to, unless the report hides it."""
    told = feedback.get("original-rcpt-to") or feedback.get("removal-recipient") or ""
    held = next((_header(part, "To") for part in parts[1:] if part.get("To")), "") if feedback else ""
    return next(
        (address for value in (told, held) for _, address in getaddresses([value]) if "@" in address), None
    )


# --- what is made of it ---


def receive_mail(tenant: int, raw: bytes) -> list[dict[str, Any]]:
    """Take a mail of a workspace, or those of an mbox file; on return all that they say is durable.

    Returns for each its class, and how many events are new and repeated.
    """
    with begin("producer", tenant) as session:
        taken = [take(session, tenant, read_mail(one)) for one in split_mbox(raw)]
    for result in taken:
        log.info("mail_taken", tenant_id=tenant, **result)
    return taken


def split_mbox(raw: bytes) -> list[bytes]:
    """Return the mails of an mbox file, which begins with a From line; any other mail is one."""
    if not raw.startswith(b"From "):
        return [raw]
    return [part for part in _FROM_LINE.split(raw.replace(b"\r\n", b"\n")) if part.strip()][:_MAILS]


def take(session: Session, tenant: int, found: Inbound) -> dict[str, Any]:
    """Say what a mail says in the session's transaction."""
    reports = {
        report.event_id("inbound", event): event
        for event in events_of(found, answers=_answers(session, tenant, found))
    }
    fresh = sources.unseen(session, tenant, reports.keys())
    new = [(id_, event) for id_, event in reports.items() if id_ in fresh]
    report.say(session, tenant, "inbound", new, source="inbound")
    return {
        "class": found.class_,
        "new": len(new),
        "repeated": len(reports) - len(new),
        "kinds": dict(Counter(event.kind for event in reports.values())),
    }


def _answers(session: Session, tenant: int, found: Inbound) -> bool:
    """Say whether a mail without references answers the last one that we sent to its author: some programs keep only the subject."""
    subject, address = found.subject or "", (found.from_address or "").lower()
    if found.class_ != "other" or not address or not _RE.match(subject):
        return False
    last = sources.sent_to(session, tenant, [address]).get(address)
    return last is not None and _RE.sub("", subject).strip().lower() == (last.subject or "").strip().lower()


def events_of(found: Inbound, *, answers: bool = False) -> list[MailEvent]:
    """Return the events that a mail makes: one for each recipient of a report, else one."""
    if found.failures and found.class_ in ("bounce", "delayed", "delivered"):
        return [_report(found, failure) for failure in found.failures]
    if found.class_ in ("complaint", "opt_out"):
        kind: Kind = "complained" if found.class_ == "complaint" else "unsubscribed"
        return [
            _made(
                found,
                kind,
                recipient=found.recipient,
                header_id=found.reported,
                feedback_type=found.feedback_type,
                method="report",
            )
        ]
    if found.class_ == "receipt":
        return [_made(found, "read", recipient=found.from_address, header_id=found.reported)]
    kinds: dict[Class, Kind] = {"auto_reply": "autoresponded", "reply": "replied"}
    return [_answer(found, "replied" if answers else kinds.get(found.class_, "received"))]


def _report(found: Inbound, failure: Failure) -> MailEvent:
    kinds: dict[str, Kind] = {"failed": "bounced", "delayed": "deferred", "delivered": "delivered"}
    return _made(
        found,
        kinds[failure.action],
        identity=reading.identity(found.identity, failure.recipient, failure.action),
        recipient=failure.recipient,
        header_id=found.reported,
        status=failure.status,
        reason=failure.diagnostic,
        reject_reason=failure.reason,
        bounce_type="hard" if failure.hard else "soft",
    )


def _answer(found: Inbound, kind: Kind) -> MailEvent:
    said = {
        "from_address": found.from_address,
        "from_name": found.from_name,
        "excerpt": found.text[:1000],
        "reply_message_id": found.message_id,
    }
    before = [*found.in_reply_to, *reversed(found.references)]
    said["in_reply_to"] = before[0] if before else None
    return _made(
        found,
        kind,
        recipient=found.from_address,
        message_id=found.message_id,
        references=tuple(before),
        subject=found.subject,
        extra=said,
    )


def _made(found: Inbound, kind: Kind, **fields: Any) -> MailEvent:
    return MailEvent(
        kind=kind, name=found.class_, occurred_at=found.sent_at, **{"identity": found.identity} | fields
    )
