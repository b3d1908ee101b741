"""Bounces: RFC 3464 reports, and the many that are not.

What a server said is kept; whether the address is of no use is judged.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from email import message_from_bytes
from email.message import Message
from typing import Literal

from flufl.bounce import all_failures

from producers.mail import reading
from producers.mail.event import BounceType
from producers.mail.inbound.message import header, people
from producers.mail.inbound.subject import is_answer
from producers.mail.judge import code_of, is_vague, judge, reason_of, unwrapped

Action = Literal["failed", "delayed", "delivered"]


@dataclass(frozen=True, slots=True)
class Failure:
    """What a report says of one recipient.

    `status` is null where the server named none; `final` is the address that the mail ended at.
    """

    recipient: str
    action: Action
    status: str | None = None
    diagnostic: str | None = None
    remote_mta: str | None = None
    final: str | None = None
    reason: str | None = None
    bounce_type: BounceType = "unknown"

    @property
    def hard(self) -> bool:
        """Whether the address is of no use."""
        return self.bounce_type == "hard"


_ACTIONS: Mapping[str, Action] = {
    "failed": "failed",
    "undeliverable": "failed",
    "delayed": "delayed",
    "delivered": "delivered",
    "deliverable": "delivered",
    "relayed": "delivered",
    "expanded": "delivered",
}
# A local part and a domain may have letters of any script: an ASCII tail of one is somebody else.
_ADDRESS = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]+@[^\W_](?:[\w.-]*[^\W_])?")
_ANGLED = re.compile(rf"<(?:mailto:)?({_ADDRESS.pattern})>")
_ALONE = re.compile(rf"^[ \t]*({_ADDRESS.pattern})[ \t]*$", re.MULTILINE)
_ORIGINAL = re.compile(
    r"^[ \t>*-]*(below this line is a copy|original (message|mail)|message headers? follows?|unsent message "
    r"follows"
    r"|this is a copy of the message|the header of the original message|copy of the original|returned "
    r"message|included is a copy"
    r"|forwarded message)",
    re.IGNORECASE | re.MULTILINE,
)
_DAEMON = re.compile(
    r"mailer-?daemon|postmaster|mail delivery (sub)?system|mail\.?daemon|mdaemon|bounce", re.IGNORECASE
)
_SYSTEM = re.compile(
    r"(mailer|mail)[-_. ]?daemon.*|mdaemon.*|postmaster(-\w+)?|bounces?([+=_-].*)?"
    r"|(e?-?mail )?delivery (sub)?-?system.*|mail ?delivery ?(system|subsystem|service).*",
    re.IGNORECASE,
)
_SUBJECT = re.compile(
    r"undeliver|deliver(y|ing)[\w ()]*(fail|error|status|problem|notif|report|unsuccess|delay|impossible)"
    r"|returned mail|failure notice"
    r"|failed (mail|delivery)|mail (system )?(error|status|failure)|could ?n.t be delivered|not delivered"
    r"|unzustellbar|non remis"
    r"|no entregado|non recapitabile",
    re.IGNORECASE,
)
_DELAYED = re.compile(
    r"\(delay\)|delayed|warning message only|will be retried|still being retried|could not be delivered for"
    r"|temporarily deferred",
    re.IGNORECASE,
)
# An answer to the content, as a transcript or a sentence tells it.
_AFTER_DATA = re.compile(r">>> *(DATA|\.)\s|end of data|\bDATA command|content of the message", re.IGNORECASE)
_STATUS_PARTS = ("message/delivery-status", "message/global-delivery-status")
_FIELD = re.compile(r"^([A-Za-z-]+):[ \t]*(.*(?:\n[ \t]+.*)*)", re.MULTILINE)


def failures(message: Message, text: str) -> list[Failure]:
    """Return what a report says of each recipient; nothing where the mail is no report.

    `text` is what it says to people.
    """
    found = list(_reported(message)) or list(_reported_in_text(message, text))
    answered = reads_like_a_report(message) and reading.is_permanent(text) is not None
    if not found and (answered or looks_like_a_report(message)):
        found = list(_guessed(message, text))
    notice = notification(text)
    return [_judged(failure, notice, alone=len(found) == 1) for failure in found]


def looks_like_a_report(message: Message) -> bool:
    """Say whether a mail comes from a mail system about another mail."""
    if message.get("X-Failed-Recipients") or message.get_param("report-type") == "delivery-status":
        return True
    return _is_of_a_mail_system(message) or (reads_like_a_report(message) and _null_sender(message))


def reads_like_a_report(message: Message) -> bool:
    """Return whether a mail's subject is that of a report, and not of an answer to one."""
    subject = header(message, "Subject")
    return bool(_SUBJECT.search(subject)) and not is_answer(subject)


def _is_of_a_mail_system(message: Message) -> bool:
    """Return whether a mail system wrote a mail: a person's name or domain may hold such a word too."""
    authors = people(message, "From") or people(message, "Sender")
    if not authors:
        return bool(_DAEMON.search(_first(message, "From", "Sender")))
    return any(
        _SYSTEM.fullmatch(address.rpartition("@")[0]) or _SYSTEM.fullmatch(name) for name, address in authors
    )


def _null_sender(message: Message) -> bool:
    return any(_first(message, name).strip() == "<>" for name in ("Return-Path", "X-Envelope-From"))


def _first(message: Message, *names: str) -> str:
    return next((str(value) for name in names if (value := message.get(name))), "")


def _reported(message: Message) -> Iterator[Failure]:
    """Yield from message/delivery-status parts.

    A group of fields for the message, then one for each recipient.
    """
    for part in message.walk():
        if part.get_content_type() in _STATUS_PARTS and isinstance(part.get_payload(), list):
            for group in _groups(part):
                fields = {name.lower(): _utf8(str(value)) for name, value in group.raw_items()}
                if made := _failure(fields):
                    yield made


def _groups(part: Message) -> Iterator[Message]:
    for group in part.get_payload():
        if isinstance(group, Message):
            yield group
            if part.get_content_type() != "message/delivery-status":  # read as one mail: the rest is its text
                rest = group.get_payload(decode=True)
                yield from map(message_from_bytes, rest.split(b"\n\n") if isinstance(rest, bytes) else ())


def _utf8(value: str) -> str:
    """Return a field's value with the bytes that the parser left as they were (RFC 6533) read as UTF-8."""
    return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _reported_in_text(message: Message, text: str) -> Iterator[Failure]:
    """Yield from the same fields where a broken report holds them as text."""
    if not looks_like_a_report(message):
        return
    for group in re.split(r"\n\s*\n", notification(text)):
        fields = {match[1].lower(): match[2] for match in _FIELD.finditer(group)}
        if "final-recipient" in fields and "action" in fields and (made := _failure(fields)):
            yield made


def _failure(fields: Mapping[str, str]) -> Failure | None:
    original, final = (_address(fields.get(name, "")) for name in ("original-recipient", "final-recipient"))
    action = _ACTIONS.get(fields.get("action", "failed").strip().split(" ")[0].lower(), "failed")
    if not (original or final):
        return None
    diagnostic = _folded(fields.get("diagnostic-code"))
    status = reading.status_of(fields.get("status")) or reading.status_of(diagnostic)
    return Failure(
        original or final or "",
        action,
        status,
        diagnostic,
        _folded(fields.get("remote-mta")),
        final or original,
    )


def _address(field: str) -> str | None:
    """Return the address of `rfc822; <jo@example.com>`; a route before it is left out."""
    value = field.partition(";")[2] or field
    bare = re.sub(r"\(.*?\)", "", " ".join(value.split())).strip().strip("<>").strip()
    bare = bare.rpartition(":")[2] if bare.startswith("@") else bare
    match = _ADDRESS.search(bare)
    return match[0] if match else None


def _folded(value: str | None) -> str | None:
    return " ".join(value.split()) or None if value else None


def _guessed(message: Message, text: str) -> Iterator[Failure]:
    """Yield what the library finds in the forms it knows, else the addresses that the notification names."""
    temporary, permanent = all_failures(message)
    listed = (address.decode("ascii", "replace") for address in (*temporary, *permanent))
    named = set(filter(_ADDRESS.fullmatch, (one.removeprefix("mailto:") for one in listed))) or set(
        _named(message, text)
    )
    delayed = bool(_DELAYED.search(_first(message, "Subject") + "\n" + notification(text))) or bool(
        temporary and not permanent
    )
    for address in sorted(named):
        words = _about(address, notification(text), len(named))
        yield Failure(address, "delayed" if delayed else "failed", reading.status_of(words), words)


def notification(text: str) -> str:
    """Return what a report says before the original mail that it quotes."""
    match = _ORIGINAL.search(text)
    return text[: match.start()] if match else text


def _named(message: Message, text: str) -> Iterable[str]:
    listed = _first(message, "X-Failed-Recipients")
    if listed:
        return _ADDRESS.findall(listed)
    own = {
        address.lower()
        for name in ("To", "From", "Sender", "Return-Path")
        for address in _ADDRESS.findall(_first(message, name))
    }
    words = notification(text)
    angled = _ANGLED.findall(words)
    for found in (angled, _ALONE.findall(words) if angled else _ADDRESS.findall(words)):
        others = [one for one in dict.fromkeys(found) if one.lower() not in own and not _DAEMON.match(one)]
        if others:
            return others[:20]
    return []


def _about(address: str, text: str, recipients: int) -> str | None:
    """Return what the notification says of one address.

    All of it where there is one, else the paragraph after its name.
    """
    if recipients == 1:
        return _folded(text[-2000:])
    if match := re.search(rf"^\d{{3}}[ -].*{re.escape(address)}.*$", text, re.MULTILINE):
        return _folded(match[0])  # a line of a transcript is about its own address alone
    _, found, after = text.partition(address)
    others = [match.start() for match in _ADDRESS.finditer(after) if match[0].lower() != address.lower()]
    words = after[: others[0]] if others else after
    return _folded(re.split(r"\n\s*\n", words, maxsplit=1)[0]) if found else None


def _judged(failure: Failure, notice: str, *, alone: bool) -> Failure:
    """Add the reason and whether the address is of no use.

    What the server answered in `notice` is more exact than a vague status.
    """
    about = _about(failure.recipient, notice, 2) or _about(failure.final or failure.recipient, notice, 2)
    words, status = failure.diagnostic or about or "", failure.status
    if is_vague(status):
        status = reading.status_of(failure.diagnostic, about) or status
    around = f"{words}\n{notice if alone else about}"
    status, exact = unwrapped(status, words)
    status, _ = unwrapped(status, about or "")
    reason = reason_of(exact) or reason_of(around)
    after_data = bool(_AFTER_DATA.search(around))
    code = code_of(around) or 550  # without one it is the reporting system's own finding, and final
    verdict = judge(
        status=status, words=exact, reason=reason, code=code, after_data=after_data, claimed="soft"
    )
    bounce_type = verdict.bounce_type if failure.action == "failed" else "unknown"
    return replace(failure, status=status, diagnostic=words or None, reason=reason, bounce_type=bounce_type)
