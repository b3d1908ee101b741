"""Classify an inbound mail.

A bounce, a complaint, a receipt, an automatic answer, a reply, or something else.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.message import Message
from typing import Literal

from mailparser_reply import EmailReplyParser

from activity.address import mailboxes
from activity.errors import ActivityError
from producers.mail import reading
from producers.mail.inbound import message as mime
from producers.mail.inbound.bounces import Failure, failures
from producers.mail.inbound.message import decoded, fields, header, ids

MAX_MAIL = 25_000_000  # bytes

MailClass = Literal[
    "bounce", "delayed", "delivered", "complaint", "opt_out", "receipt", "auto_reply", "reply", "other"
]

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
    r"^\W*(re:\s*)?(auto(matic|matische|mated)?[ -]?(reply|response|answer|antwort|respond)|autoreply"
    r"|out of (the )?office|ooo\b|abwesen|automatisch|réponse automatique|absence|respuesta automática"
    r"|fuera de"
    r"|risposta automatica|fuori ufficio|resposta automática|autosvar|automatisk svar|automaattinen"
    r"|odpowiedź automatyczna|automatická|on (annual )?(leave|vacation|holiday)|away from)",
    re.IGNORECASE,
)
_QUOTED = re.compile(
    r"(^[^\n>]*[<@\d][^\n]*\n)?^[^\n>][^\n]*:[ \t]*\n\s*(^>[^\n]*(\n|\Z))+|^>[^\n]*(\n|\Z)", re.MULTILINE
)
_QUOTED_ID = re.compile(r"^[ \t]*message-id:\s*(<[^<>\s]+>)", re.IGNORECASE | re.MULTILINE)
_LANGUAGES = ["en", "de", "fr", "es", "it", "nl", "pl", "pt", "sv", "da"]
_FEEDBACK: dict[str, MailClass] = {
    "not-spam": "other",
    "auth-failure": "other",
    "opt-out": "opt_out",
    "opt-out-list": "opt_out",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbound:
    """What a mail is, and what it says.

    `references` are the mails before it in the thread, the last one last. `reported` is the Message-ID of the
    mail that a report is about, and `recipient` who that mail went to.
    """

    class_: MailClass
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
    reported: str | None = None
    recipient: str | None = None
    feedback_type: str | None = None


class UnreadableMail(ActivityError):
    """Reading a mail raised, which a stranger's mail can make happen.

    It is set aside, and the next one is read.
    """


def read_mail(raw: bytes) -> Inbound:
    """Return what a mail is. Raises UnreadableMail, and nothing else, whatever the mail holds."""
    try:
        return _read(raw)
    except Exception as error:  # email and charset code raise whatever a stranger makes them raise
        raise UnreadableMail(f"the mail cannot be read: {type(error).__name__}") from error


def _read(raw: bytes) -> Inbound:
    message = mime.parse(raw)
    parts = mime.parts_of(message)
    text = mime.text_of(parts)
    found = failures(message, text)
    feedback = fields(parts, "message/feedback-report")
    class_ = _class(message, parts, found, feedback)
    from_name, from_address = _author(message)
    return Inbound(
        class_=class_,
        identity=_identity(message, text),
        failures=found,
        in_reply_to=ids(header(message, "In-Reply-To")),
        references=ids(header(message, "References")),
        from_address=from_address,
        from_name=from_name,
        message_id=next(iter(ids(header(message, "Message-ID"))), None),
        subject=header(message, "Subject") or None,
        sent_at=mime.date(message),
        text=reply_text(text) if class_ in ("reply", "auto_reply", "other") else "",
        reported=_reported_id(parts, text),
        recipient=_complainer(parts, feedback),
        feedback_type=feedback.get("feedback-type"),
    )


def _author(message: Message) -> tuple[str | None, str | None]:
    return next(((name or None, address) for name, address in mime.people(message, "From")), (None, None))


def _identity(message: Message, text: str) -> str:
    names = ("Message-ID", "From", "To", "Date", "Subject")
    return reading.identity(*(header(message, name) for name in names), reading.digest(text))


def _class(
    message: Message, parts: Sequence[Message], found: Sequence[Failure], feedback: dict[str, str]
) -> MailClass:
    if feedback:
        return _FEEDBACK.get(feedback.get("feedback-type", "abuse").lower(), "complaint")
    if any(part.get_content_type() == "message/disposition-notification" for part in parts):
        return "receipt"
    if found:
        actions = {failure.action for failure in found}
        return "bounce" if "failed" in actions else "delayed" if "delayed" in actions else "delivered"
    if is_automatic(message):
        return "auto_reply"
    answers = ids(header(message, "In-Reply-To")) or ids(header(message, "References"))
    return "reply" if answers else "other"


def is_automatic(message: Message) -> bool:
    """Return whether a machine answered (RFC 3834, and the headers and subjects that were used before it)."""
    submitted = header(message, "Auto-Submitted").split(";")[0].strip().lower()
    if submitted not in ("", "no") or any(message.get(name) is not None for name in _AUTO_HEADERS):
        return True
    if header(message, "Precedence").strip().lower() in ("auto_reply", "auto-reply"):
        return True
    return bool(_AUTO_SUBJECT.search(header(message, "Subject")))


def reply_text(text: str) -> str:
    """Return what a person wrote, without the mail that they quote."""
    answer = str(EmailReplyParser(languages=_LANGUAGES).parse_reply(text) or "")
    return _QUOTED.sub("", answer).strip()


def _reported_id(parts: Sequence[Message], text: str) -> str | None:
    """Return the Message-ID of the mail that a report holds or quotes."""
    receipt = fields(parts, "message/disposition-notification").get("original-message-id", "")
    inner = (header(part, "Message-ID") for part in parts[1:] if part.get("Message-ID"))
    quoted = _QUOTED_ID.search("\n".join([text, *_header_parts(parts)]))
    found = next((id_ for value in (receipt, *inner) for id_ in ids(value)), None)
    return found or (quoted[1] if quoted else None)


def _header_parts(parts: Sequence[Message]) -> list[str]:
    kinds = ("text/rfc822-headers", "message/rfc822-headers")
    return [decoded(part) for part in parts if part.get_content_type() in kinds]


def _complainer(parts: Sequence[Message], feedback: dict[str, str]) -> str | None:
    """Return who the reported mail went to, unless the report hides it."""
    named = feedback.get("original-rcpt-to") or feedback.get("removal-recipient") or ""
    held = next((header(part, "To") for part in parts[1:] if part.get("To")), "") if feedback else ""
    return next((address for value in (named, held) for _, address in mailboxes(value)), None)
