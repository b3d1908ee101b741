"""The one judge of what a mail server says: about whom it is, and whether an address is gone for good."""

import re
from collections.abc import Mapping
from typing import Literal, NamedTuple

from producers.mail.event import BounceType

# The most telling first: "mailbox full" also says "mailbox unavailable".
_PATTERNS: Mapping[str, tuple[str, ...]] = {
    "sendinglimit": (
        r"(daily|hourly|user|your|outbound|sending|message)[\w ]* (sending )?(limit|quota)[\w ]* exceed",
        (
            r"exceed\w* [\w ]*(sending|messag\w+|daily|hourly|rate) (limit|quota|rate)|too many (messages"
            r"|mails) sent"
        ),
    ),
    "badsender": (
        r"bad (outbound )?sender|sender (address |domain )?(rejected|denied|not allowed|blocked)",
        r"\b(reverse dns|rdns|ptr|helo|ehlo)\b",
        r"(unrout\w+|unknown|invalid) sender|sender verif\w+|domain of (the )?sender",
        r"(after|in reply to|in response to|>>>) (the )?mail from",  # the answer to our own address
        (
            r"not (allowed|authori[sz]ed|permitted) to (send|relay)|account (is )?(not allowed|blocked) (to"
            r"|from) send"
        ),
    ),
    "mailboxfull": (
        r"(mail)?box (is )?(full|over)",
        r"over ?quota|quota (is )?exceed|exceed\w* (its |the )?(storage|quota)",
        r"out of storage|insufficient storage",
    ),
    "mesgtoobig": (
        r"(message|mail) (file |size )?(is )?(too (big|large)|exceeds)",
        r"size limit exceed|too large",
    ),
    "authfailure": (r"\b(dmarc|dkim|spf)\b", r"unauthenticated|not authenticat"),
    "norelaying": (r"relay(ing)? (access )?(denied|not)", r"insecure mail relay|unable to relay"),
    "hasmoved": (r"has moved|no longer (here|works)|recipient moved",),
    "suspend": (
        (
            r"(account|mailbox|user)( \S+)? (is |has been )?"
            r"(disabled|suspended|inactive|frozen|discontinued|locked|deactivated)"
        ),
    ),
    "hostunknown": (
        r"(host|domain)( name)? (not found|unknown|does ?n.t exist|lookup fail|not exist)",
        r"(host|domain) does not accept mail|null ?mx",
        r"unroute?able|couldn.t find any host|no such domain|nxdomain|name service error|no mx record",
    ),
    "userunknown": (
        r"(user|recipient|mailbox|address|account)( \S+)? (is )?(unknown|unavailable|invalid)",
        (
            r"(user|recipient|mailbox|address|account)( \S+)? (is )?(not found|not known|not exist|does ?n.t "
            r"exist)"
        ),
        r"(unknown|no such|invalid) (local )?(user|recipient|mailbox|address|account|person)",
        (
            r"does not exist|doesn.t have an? |does not have an? |recipnotfound"
            r"|not a valid (mailbox|recipient|user)"
        ),
        r"no mailbox (here|by that)|no account by that|undeliverable address",
        r"not listed in|invalid final delivery|name is not recognized",
    ),
    "badreputation": (r"\byour (ip|host|server|network|domain)\b",),
    "spamdetected": (r"\bspam\b|unsolicited|junk",),
    "networkerror": (
        r"hop count|too many hops|routing loop|mail loop",
        r"connection (refused|lost|reset)|network (is )?unreachable|no route",
    ),
    "expired": (
        r"multiple retries|retry (time|timeout)|timed out|expired|giving up|too long in (the )?queue",
        r"unable to connect",
    ),
    "blocked": (
        r"spamhaus|spamcop|\bsorbs\b|barracudacentral|dnsbl|surbl|uceprotect",
        r"block(ed|list)|blacklist|reputation|sender rejected|banned|\brbl\b",
    ),
    "policyviolation": (r"policy|not allowed|prohibited|violat",),
    "rejected": (r"reject|denied|refused",),
}
_REASONS = [(name, re.compile("|".join(patterns), re.IGNORECASE)) for name, patterns in _PATTERNS.items()]


Subject = Literal["recipient", "quota", "sender", "message", "way", "unknown"]

# Whom the words are about: the recipient's address, its full mailbox, us who send, this one mail, or the way
# there.
_SUBJECTS: Mapping[str, Subject] = {
    "userunknown": "recipient",
    "hasmoved": "recipient",
    "hostunknown": "recipient",
    "mailboxfull": "quota",
    "suspend": "quota",
    "blocked": "sender",
    "norelaying": "sender",
    "authfailure": "sender",
    "sendinglimit": "sender",
    "badsender": "sender",
    "badreputation": "sender",
    "mesgtoobig": "message",
    "spamdetected": "message",
    "policyviolation": "message",
    "networkerror": "way",
    "expired": "way",
}
_PASSING = {"blocked", "badreputation", "sendinglimit", "networkerror", "expired"}
_HARD_STATUS = {
    "5.1.1",
    "5.1.2",
    "5.1.3",
    "5.1.6",
    "5.1.10",
}  # RFC 3463, RFC 7505: the address, and nothing else
_SENDER_STATUS = {
    "5.1.7",
    "5.1.8",
    "5.7.25",
    "5.7.26",
    "5.7.27",
}  # RFC 3463, RFC 7372: our address, host or keys
_REFUSED_CODES = (550, 551, 553, 554)
_CODE = re.compile(r"(?<![\d.])([245]\d\d)(?=[ -])")  # RFC 5321's, as a report quotes it
_EXACT = re.compile(r"(?<![\d.])[45]\.\d{1,3}\.[1-9]\d{0,2}(?![\d.])")
_VAGUE_STATUS = re.compile(r"[45]\.0\.0")


class MailVerdict(NamedTuple):
    """What an answer or a report says: about whom, whether an address is gone for good, and why."""

    subject: Subject
    bounce_type: BounceType
    reason: str | None

    @property
    def passes(self) -> bool:
        """Whether what is held against us may end without anybody's doing."""
        return self.reason in _PASSING


def reason_of(words: str) -> str | None:
    """Return the reason that a mail server's words give; None where they give none that is known."""
    return next((name for name, pattern in _REASONS if pattern.search(words)), None)


def code_of(words: str) -> int | None:
    """Return the SMTP code that stands in a mail server's words; None where there is none."""
    match = _CODE.search(words)
    return int(match[1]) if match else None


def unwrapped(status: str | None, words: str) -> tuple[str | None, str]:
    """Return the exact status and words that an answer of a general one (5.1.0) quotes, else what was given.

    A relay's "Unknown address error" may quote an access that was denied.
    """
    exact = [match for match in _EXACT.finditer(words) if status and match[0] != status]
    if not (exact and status and status.endswith(".0")):
        return status, words
    return exact[-1][0], words[exact[-1].start() :]


def is_vague(status: str | None) -> bool:
    """Return whether a status is missing or says nothing but that it failed: 5.0.0."""
    return status is None or bool(_VAGUE_STATUS.fullmatch(status))


def judge(
    *,
    status: str | None,
    words: str,
    reason: str | None = None,
    code: int | None = None,
    after_data: bool = False,
    claimed: BounceType = "unknown",
) -> MailVerdict:
    """Judge a permanent refusal, whether a server answered it, a mail reported it or a provider did.

    `status` is RFC 3463's, `code` the SMTP code, by default the one in the words, `reason` what the words
    give where the caller knows more of them, `claimed` a provider's own verdict. `after_data`: it came after
    the content, when filters say "unknown user" of people who exist.

    An address is gone ("hard") only where that is sure: by a status that says so and nothing else, by words
    with an exact permanent status, by words to a bare RCPT, or by a provider's word that nothing contradicts.
    What a server says of us, of this mail or of the way there never condemns the recipient.
    """
    code = code or code_of(words)
    status, words = unwrapped(status, words)
    reason = reason or reason_of(words)
    subject = _subject(status, reason)
    if subject == "quota":
        return MailVerdict("quota", "soft", reason)
    if subject in ("sender", "message", "way"):
        return MailVerdict(subject, "unknown", reason)
    if _is_gone(status, reason, code, after_data):
        return MailVerdict("recipient", "hard", reason)
    if (status or "")[1:].startswith(
        ".2."
    ):  # RFC 3463: the mailbox's own status, with no word that it is unknown
        return MailVerdict("quota", "soft", reason)
    if claimed == "hard":
        return MailVerdict("recipient", "hard", reason)
    return MailVerdict("unknown", "soft" if claimed == "soft" else "unknown", reason)


def _subject(status: str | None, reason: str | None) -> Subject:
    if status in _SENDER_STATUS:
        return "sender"
    named = _SUBJECTS.get(reason or "", "unknown")
    # Words of our standing, of a quota or of the content win over a code: it is often a mere default.
    return "recipient" if status in _HARD_STATUS and named in ("unknown", "way") else named


def _is_gone(status: str | None, reason: str | None, code: int | None, after_data: bool) -> bool:
    if status in _HARD_STATUS or reason == "hostunknown":
        return status is None or status.startswith("5")
    named = reason in ("userunknown", "hasmoved") and not after_data
    if is_vague(status):
        return named and code in _REFUSED_CODES and (status or "5").startswith("5")
    return named and status is not None and status.startswith("5")
