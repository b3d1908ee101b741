"""A domain's mail according to the DNS: who runs it, and whether it accepts any."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import dns.asyncresolver
import dns.exception
import dns.resolver
from pydantic import BaseModel, ConfigDict, Field

from producers.enrichment.provider import FoundValue, ProviderAnswer, ProviderFailed, Question, Surroundings

# Ends of the names of mail servers, and of what SPF includes, by who runs them.
_OPERATORS = {
    "google.com": "Google Workspace",
    "googlemail.com": "Google Workspace",
    "outlook.com": "Microsoft 365",
    "pphosted.com": "Proofpoint",
    "ppe-hosted.com": "Proofpoint",
    "mimecast.com": "Mimecast",
    "messagelabs.com": "Symantec",
    "barracudanetworks.com": "Barracuda",
    "zoho.com": "Zoho Mail",
    "zoho.eu": "Zoho Mail",
    "messagingengine.com": "Fastmail",
    "protonmail.ch": "Proton",
    "yandex.net": "Yandex 360",
    "amazonaws.com": "Amazon WorkMail",
    "secureserver.net": "GoDaddy",
    "ovh.net": "OVH",
    "ionos.com": "IONOS",
    "kundenserver.de": "IONOS",
    "gandi.net": "Gandi",
    "icloud.com": "iCloud",
}


class DnsOptions(BaseModel):
    """The options in the configuration."""

    model_config = ConfigDict(extra="forbid")

    nameservers: tuple[str, ...] = ()  # the system's, where none are given
    port: Annotated[int, Field(ge=1, le=65535)] = 53


class Dns:
    """Finds `mail_provider`, `receives_mail`, `deliverable` (of a contact), `mail_servers`, `spf`."""

    batch_size = 1

    def __init__(self, options: Mapping[str, object], surroundings: Surroundings) -> None:
        chosen = DnsOptions.model_validate(options)
        self._resolver = dns.asyncresolver.Resolver(configure=not chosen.nameservers)
        if chosen.nameservers:
            self._resolver.nameservers = list(chosen.nameservers)
        self._resolver.port = chosen.port
        self._resolver.lifetime = surroundings.timeout_s * 0.9

    def key(self, question: Question) -> str | None:
        """Return the domain: of a contact's e-mail address, else the record's own."""
        domain = question.values.get("email_domain") or question.values.get("domain")
        return domain.lower() if isinstance(domain, str) and "." in domain else None

    async def ask(self, questions: Sequence[Question]) -> Sequence[ProviderAnswer]:
        """Look up MX and TXT records."""
        return [await self._ask_one(self.key(question) or "") for question in questions]

    async def _ask_one(self, domain: str) -> ProviderAnswer:
        servers = await self._mail_servers(domain)
        if servers is None:
            return {"receives_mail": FoundValue(False), "deliverable": FoundValue(False)}
        spf = next((text for text in await self._texts(domain) if text.lower().startswith("v=spf1")), None)
        accepts = bool(servers)
        answer = {
            "receives_mail": FoundValue(accepts),
            "deliverable": FoundValue(accepts, 0.7 if accepts else 1.0),
            "mail_servers": FoundValue(servers[:20]),
        }
        provider = _operator(servers) or _operator(
            [word.rpartition(":")[2] for word in (spf or "").split() if word.startswith("include:")]
        )
        if provider:
            answer["mail_provider"] = FoundValue(provider, 0.95)
        return answer | ({"spf": FoundValue(spf[:500])} if spf else {})

    async def _mail_servers(self, domain: str) -> list[str] | None:
        """Return the servers that accept a domain's mail, the preferred first.

        An empty list: it has a null MX; None: it does not exist.
        """
        try:
            found = await self._resolve(domain, "MX")
        except dns.resolver.NXDOMAIN:
            return None
        if found is None:  # no MX: RFC 5321 accepts the domain itself, if it has an address
            return [domain] if await self._resolve(domain, "A") else []
        ordered = sorted((entry.preference, str(entry.exchange).rstrip(".").lower()) for entry in found)
        return [name for _, name in ordered if name]

    async def _texts(self, domain: str) -> list[str]:
        found = await self._resolve(domain, "TXT")
        return [b"".join(entry.strings).decode(errors="replace") for entry in found or ()]

    async def _resolve(self, domain: str, kind: str) -> Any:
        try:
            return await self._resolver.resolve(domain, kind)
        except dns.resolver.NXDOMAIN:
            raise
        except dns.resolver.NoAnswer:
            return None
        except dns.exception.Timeout:
            raise ProviderFailed("the name servers did not answer in time", transient=True) from None
        except (dns.exception.DNSException, OSError, UnicodeError) as error:
            raise ProviderFailed(
                f"the name servers gave no usable answer: {type(error).__name__}", transient=True
            ) from None


def _operator(names: Sequence[str]) -> str | None:
    ends = {".".join(name.split(".")[-2:]) for name in names}
    return next((operator for end, operator in _OPERATORS.items() if end in ends), None)
