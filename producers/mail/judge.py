"""What a mail server's words and codes say of an address: the reason, and whether the address is unusable.

A report and a server's own answer are judged by different rules, which stand side by side here: `judge_report`
has the words of a report and believes few of them, `judge_answer` has the code of an answer and no words.
"""

import re
from collections.abc import Mapping

from producers.mail.event import BounceType

# The most telling first: "mailbox full" also says "mailbox unavailable".
_PATTERNS: Mapping[str, tuple[str, ...]] = {
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
        r"unroute?able|couldn.t find any host|no such domain|nxdomain|name service error|no mx record",
    ),
    "userunknown": (
        r"(user|recipient|mailbox|address|account)( \S+)? (is )?(unknown|unavailable|invalid)",
        r"(user|recipient|mailbox|address|account)( \S+)? (is )?(not found|not known|not exist|does ?n.t exist)",
        r"(unknown|no such|invalid) (local )?(user|recipient|mailbox|address|account|person)",
        r"does not exist|doesn.t have an? |does not have an? |recipnotfound|not a valid (mailbox|recipient|user)",
        r"no mailbox (here|by that)|no account by that|undeliverable address",
    ),
    "spamdetected": (r"\bspam\b|unsolicited|junk",),
    "networkerror": (
        r"hop count|too many hops|routing loop|mail loop",
        r"connection (refused|lost|reset)|network (is )?unreachable|no route",
    ),
    "expired": (
        r"multiple retries|retry (time|timeout)|timed out|expired|giving up|too long in (the )?queue",
        r"unable to connect",
    ),
    "blocked": (r"block(ed|list)|blacklist|reputation|sender rejected|banned|\brbl\b",),
    "policyviolation": (r"policy|not allowed|prohibited|violat",),
    "rejected": (r"reject|denied|refused",),
}
_REASONS = [(name, re.compile("|".join(patterns), re.IGNORECASE)) for name, patterns in _PATTERNS.items()]


_NEVER_HARD = {"mailboxfull", "mesgtoobig", "suspend", "authfailure", "norelaying", "spamdetected"}
_HARD_STATUS = {"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10"}
_HARD_CODES = (550, 551, 553)
_VAGUE_STATUS = re.compile(r"[45]\.0\.0")


def reason_of(words: str) -> str | None:
    """Return the reason that a mail server's words give; None where they give none that is known."""
    return next((name for name, pattern in _REASONS if pattern.search(words)), None)


def is_vague(status: str | None) -> bool:
    """Return whether a status is missing or says nothing but that it failed: 5.0.0."""
    return status is None or bool(_VAGUE_STATUS.fullmatch(status))


def judge_report(status: str | None, reason: str | None, *, after_data: bool) -> bool:
    """Return whether a report of a failure says that the address is unusable.

    A status that says so is believed. Words are believed where an exact permanent status goes with them and the
    server said them before it accepted the mail: filters say "unknown user" of people who exist.
    Unlike `judge_answer` it never takes 5.0.0 or a bare code for proof.
    """
    if reason in _NEVER_HARD:
        return False
    if status in _HARD_STATUS or reason == "hostunknown":
        return status is None or status.startswith("5")
    exact = status is not None and status.startswith("5") and not is_vague(status)
    return exact and reason in ("userunknown", "hasmoved") and not after_data


def judge_answer(code: int, status: str | None) -> BounceType:
    """Return what a server's own 5xx says: "hard" where the address is wrong, not the sender or the mail.

    Unlike `judge_report` it does not look at the words, and takes every 5.1.x, 5.0.0 and a bare 550, 551 or 553
    for proof.
    """
    if status is None:
        return "hard" if code in _HARD_CODES else "unknown"
    if status.startswith("5.1.") or status in ("5.2.1", "5.0.0"):
        return "hard"
    return "soft" if status.startswith("5.2.") else "unknown"
