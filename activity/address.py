"""One spelling of an e-mail address and of a domain: what is one to a mail server is compared as one."""

import unicodedata
from functools import lru_cache

import idna

from activity.errors import ActivityError


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
