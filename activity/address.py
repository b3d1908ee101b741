"""One spelling of an e-mail address and of a domain: what is one to a mail server is compared as one."""

import re
import unicodedata
from functools import lru_cache

import idna

from activity.errors import ActivityError

_LONGEST_HEADER = 10_000  # characters that are looked at
# What is quoted or a comment is no address, whatever it holds; a quoted local part is.
_OPAQUE = re.compile(r'"(?:[^"\\]|\\.)*+"(?!@)|\((?:[^()\\]|\\.)*+\)', re.DOTALL)
_LOCAL = r'(?:"(?:[^"\\\x00]|\\.)*+"|[^\s"(),:;<>@[\]\x00]+)'
_MAILBOX = rf"{_LOCAL}@[^\s\"(),:;<>@\x00]+"
_ANGLED = re.compile(rf"<\s*(?:@[^<>:]*:|mailto:)?({_MAILBOX})\s*>")
_BARE = re.compile(rf"(?<![^\s,;:<])({_MAILBOX})(?![^\s,;>])")


class InvalidDomain(ActivityError, ValueError):
    """A text that is no domain's name, in any spelling."""


@lru_cache(maxsize=10_000)
def ascii_domain(domain: str) -> str:
    """Return a domain lower-cased and as DNS knows it, by IDNA 2008: straße.example is not strasse.example.

    What is ASCII is not judged. Raises InvalidDomain.
    """
    domain = domain.strip().rstrip(".").lower()
    if domain.isascii() and "xn--" not in domain:
        return domain
    try:
        return idna.encode(domain, uts46=True, transitional=False).decode()
    except (idna.IDNAError, UnicodeError) as error:
        raise InvalidDomain(f"{domain[:100]!r} is not a valid domain: {error}") from None


def canonical(address: str) -> str:
    """Return the one spelling by which addresses, and domains without an @, are compared; it never raises.

    A domain that is not valid stays as it is, lower-cased.
    """
    local, at, domain = unicodedata.normalize("NFC", address.strip()).rpartition("@")
    try:
        domain = ascii_domain(domain)
    except InvalidDomain:
        domain = domain.lower()
    return f"{local.lower()}{at}{domain}"


def spellings(address: str) -> list[str]:
    """Return how an address may be written, in small letters: its domain as DNS and as people have it."""
    local, at, domain = (known := canonical(address)).rpartition("@")
    try:
        people = f"{local}{at}{idna.decode(domain)}"
    except (idna.IDNAError, UnicodeError):
        people = known
    return list(dict.fromkeys((known, people, address.strip().lower())))


def mailboxes(header: str) -> list[tuple[str, str]]:
    """Return (name, address) of what a header such as From lists, the names as they stand there.

    An address in <> is meant, and then no other: a name, a comment or an encoded word is none, whatever it
    looks like.
    """
    header = header[:_LONGEST_HEADER]
    seen = _OPAQUE.sub(lambda hidden: "\0" * len(hidden[0]), header)
    angled = list(_ANGLED.finditer(seen))
    starts = [0, *(one.end() for one in angled)]
    named = [(_name(header[at : one.start()]), one[1]) for at, one in zip(starts, angled, strict=False)]
    return named or [("", one[1]) for one in _BARE.finditer(seen)]


def _name(text: str) -> str:
    text = text.strip(" \t\r\n,;")
    quoted = len(text) > 1 and text[0] == text[-1] == '"'
    return re.sub(r"\\(.)", r"\1", text[1:-1]) if quoted else text
