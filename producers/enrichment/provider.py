"""What a provider is: a class that answers questions about records, found by its entry point in the group activity.enrichment_providers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from typing import Any, Protocol

import msgspec

from activity.errors import ActivityError
from producers.enrichment.configuration import ConfigurationInvalid, ProviderConfig
from producers.http import Outbound

GROUP = "activity.enrichment_providers"


class ProviderFailed(ActivityError):
    """A call got no usable answer. `again` says that repeating it soon may help, `after_s` how long the provider asks to wait."""

    def __init__(self, reason: str, *, again: bool = False, after_s: float | None = None) -> None:
        super().__init__(reason)
        self.again = again
        self.after_s = after_s


class Found(msgspec.Struct, frozen=True):
    """A value that a provider knows, and how sure it is, from 0 to 1."""

    value: Any
    confidence: float = 1.0


Answer = Mapping[str, Found]
"""What a provider knows, by field; empty where it knows nothing."""


@dataclass(frozen=True, slots=True)
class Question:
    """Which fields of which record are wanted. `values` are the record's own, its columns and its fields alike.

    `idempotency_key` is the same when a call is made again because its end is unknown: a provider that honours it charges once.
    """

    tenant: int
    tenant_slug: str
    kind: str
    record_id: str
    values: Mapping[str, Any]
    fields: tuple[str, ...]
    idempotency_key: str


class Provider(Protocol):
    """A source of field values. Its constructor takes its options and its Surroundings, and raises ValueError on options it cannot use."""

    batch_size: int
    """How many questions one call can hold."""

    def key(self, question: Question) -> str | None:
        """Return what the answer depends on, for the cache; None where the record lacks what this provider asks by."""

    async def ask(self, questions: Sequence[Question]) -> Sequence[Answer]:
        """Answer up to `batch_size` questions in one call, in their order. Raises ProviderFailed."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a provider works with."""

    name: str
    outbound: Outbound
    timeout_s: float


@cache
def _classes() -> Mapping[str, Any]:
    return {entry.name: entry for entry in entry_points(group=GROUP)}


def make(name: str, config: ProviderConfig, outbound: Outbound) -> Provider:
    """Make the provider that the configuration names. Raises ConfigurationInvalid."""
    entry = _classes().get(config.uses)
    if entry is None:
        raise ConfigurationInvalid(
            f"providers.{name}.uses: no provider class {config.uses!r}; there are: {', '.join(sorted(_classes()))}"
        )
    try:
        provider: Provider = entry.load()(config.options, Surroundings(name, outbound, config.timeout_s))
    except ValueError as error:  # pydantic's ValidationError is one
        raise ConfigurationInvalid(f"providers.{name}.options: {error}") from None
    return provider
