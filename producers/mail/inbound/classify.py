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
from producers.mail.inbound.automatic import is_automatic
from producers.mail.inbound.bounces import Failure, failures, reads_like_a_report
from producers.mail.inbound.message import decoded, fields, header, ids
from producers.mail.inbound.wish import asks_to_stop

MAX_MAIL = 25_000_000  # bytes

MailClass = Literal[
    "bounce",
    "delayed",
    "delivered",
    "complaint",
    "opt_out",
    "receipt",
    "auto_reply",
    "reply",
    "calendar",
    "other",
]

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
    to_address: str | None = None
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
    written = reply_text(text) if class_ in ("reply", "auto_reply", "calendar", "other") else ""
    if class_ in ("reply", "other") and (message.get("X-Apple-Unsubscribe") or asks_to_stop(written)):
        class_ = "opt_out"
    from_name, from_address = _author(message)
    return Inbound(
        class_=class_,
        identity=_identity(message, text),
        failures=found,
        in_reply_to=ids(header(message, "In-Reply-To")),
        references=ids(header(message, "References")),
        from_address=from_address,
        from_name=from_name,
        to_address=next((address for _, address in mime.people(message, "To")), None),
        message_id=next(iter(ids(header(message, "Message-ID"))), None),
        subject=header(message, "Subject") or None,
        sent_at=mime.date(message),
        text=written,
        reported=_reported_id(parts, text),
        recipient=_complainer(parts, feedback) if feedback else from_address,
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
        return "receipt" if _was_read(parts) else "auto_reply"
    if found:
        actions = {failure.action for failure in found}
        return "bounce" if "failed" in actions else "delayed" if "delayed" in actions else "delivered"
    if is_automatic(message):
        return "auto_reply"
    if any(part.get_content_type() == "text/calendar" for part in parts):
        return "calendar"
    answers = ids(header(message, "In-Reply-To")) or ids(header(message, "References"))
    return "reply" if answers and not reads_like_a_report(message) else "other"


def _was_read(parts: Sequence[Message]) -> bool:
    """Return whether a receipt says that the mail was seen; one may tell that it was deleted (RFC 8098)."""
    disposition = fields(parts, "message/disposition-notification").get("disposition", "displayed")
    return disposition.rpartition(";")[2].partition("/")[0].strip().lower() in ("displayed", "read", "")


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
