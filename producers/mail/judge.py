"""Why a mail bounced, in the words that mail servers use for it."""

import re
from collections.abc import Mapping

# The most telling first: "mailbox full" also says "mailbox unavailable".
_SAID: Mapping[str, tuple[str, ...]] = {
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
        r"(account|mailbox|user)( \S+)? (is |has been )?(disabled|suspended|inactive|frozen|discontinued|locked|deactivated)",
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
        r"multiple retries|retry (time|timeout)|timed out|expired|giving up|too long in (the )?queue|unable to connect",
    ),
    "blocked": (r"block(ed|list)|blacklist|reputation|sender rejected|banned|\brbl\b",),
    "policyviolation": (r"policy|not allowed|prohibited|violat",),
    "rejected": (r"reject|denied|refused",),
}
_REASONS = [(name, re.compile("|".join(patterns), re.IGNORECASE)) for name, patterns in _SAID.items()]


def reason_of(said: str) -> str | None:
    """Return the reason that a mail server's words give; None where they give none that we know."""
    return next((name for name, pattern in _REASONS if pattern.search(said)), None)
