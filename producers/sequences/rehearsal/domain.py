"""What the DNS says of a sending domain: without it the best mail is taken for spam, and nobody tells."""

from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any, NamedTuple

import dns.exception
import dns.name
import dns.resolver
import dns.reversename

from activity.address import InvalidDomain, ascii_domain
from activity.errors import ActivityError
from activity.settings import settings

_SIGNED = "List-Unsubscribe and List-Unsubscribe-Post"


class DomainUnknown(ActivityError):
    """The DNS could not be asked."""


class DomainFinding(NamedTuple):
    """One thing that was looked at, whether it is as it should be, and what was found or is to be done."""

    what: str
    good: bool
    words: str


def check_domain(
    address: str, host: str, selector: str | None, resolver: dns.resolver.Resolver | None = None
) -> list[DomainFinding]:
    """Return what is found of a mailbox's domain and its mail server; each look-up ends within ten seconds.

    `selector` is the one by which the relay signs, where it is known. Raises DomainUnknown.
    """
    resolver = resolver or dns.resolver.Resolver()
    resolver.lifetime = 10.0
    try:
        domain = ascii_domain(address.rpartition("@")[2])
    except InvalidDomain as error:
        return [DomainFinding("domain", False, str(error))]
    return [
        _spf(resolver, domain),
        _dmarc(resolver, domain),
        _dkim(resolver, domain, selector),
        *_reverse(resolver, host),
        _public_url(),
    ]


def _spf(resolver: dns.resolver.Resolver, domain: str) -> DomainFinding:
    found = [text for text in _texts(resolver, domain) if text.lower().split(" ")[0] == "v=spf1"]
    if len(found) == 1:
        return DomainFinding("SPF", True, found[0])
    wanted = f"publish one TXT record v=spf1 at {domain} that names the relay"
    return DomainFinding("SPF", False, f"{len(found)} records: {wanted}")


def _dmarc(resolver: dns.resolver.Resolver, domain: str) -> DomainFinding:
    # RFC 7489: without one of its own the domain above has the say.
    for name in (domain, *(above for above in [domain.partition(".")[2]] if "." in above)):
        found = [text for text in _texts(resolver, f"_dmarc.{name}") if text.lower().startswith("v=dmarc1")]
        if found:
            return DomainFinding("DMARC", True, found[0])
    return DomainFinding(
        "DMARC", False, f"no record: publish TXT v=DMARC1; p=none; rua=... at _dmarc.{domain}"
    )


def _dkim(resolver: dns.resolver.Resolver, domain: str, selector: str | None) -> DomainFinding:
    if selector is None:
        words = f"not looked for: name the relay's selector with --selector. It has to sign {_SIGNED} too"
        return DomainFinding("DKIM", False, words)
    name = f"{selector}._domainkey.{domain}"
    if any("p=" in text and not text.replace(" ", "").endswith("p=") for text in _texts(resolver, name)):
        return DomainFinding(
            "DKIM", True, f"the key is at {name}; the relay has to sign {_SIGNED} too (RFC 8058)"
        )
    return DomainFinding("DKIM", False, f"no key at {name}")


def _reverse(resolver: dns.resolver.Resolver, host: str) -> Iterator[DomainFinding]:
    """Yield whether each address of the mail server has a name that leads back to it."""
    for address in _addresses(resolver, host):
        pointer = dns.reversename.from_address(address)
        names = [str(entry).rstrip(".") for entry in _look_up(resolver, str(pointer), "PTR")]
        good = any(address in _addresses(resolver, name) for name in names)
        words = f"{address} is {', '.join(names) or 'without a name'}"
        yield DomainFinding("PTR", good, words if good else f"{words}, which does not lead back to it")


def _public_url() -> DomainFinding:
    public = settings().public_url or ""
    words = public or "ACTIVITY_PUBLIC_URL is not given"
    good = public.startswith("https://")
    return DomainFinding(
        "public URL", good, words if good else f"{words}: one-click unsubscribing wants https"
    )


def _addresses(resolver: dns.resolver.Resolver, host: str) -> list[str]:
    try:
        return [str(ip_address(host))]
    except ValueError:
        return [str(entry) for kind in ("A", "AAAA") for entry in _look_up(resolver, host, kind)]


def _texts(resolver: dns.resolver.Resolver, name: str) -> list[str]:
    return [b"".join(entry.strings).decode(errors="replace") for entry in _look_up(resolver, name, "TXT")]


def _look_up(resolver: dns.resolver.Resolver, name: str, kind: str) -> list[Any]:
    try:
        return list(resolver.resolve(name, kind))
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer, dns.name.LabelTooLong, dns.name.EmptyLabel):
        return []
    except dns.exception.DNSException as error:
        raise DomainUnknown(f"{kind} of {name} could not be looked up: {error}") from None
