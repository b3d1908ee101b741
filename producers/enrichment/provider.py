"""What a provider is: a class that answers questions about records.

It is found by its entry point in the group activity.enrichment_providers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Protocol

import msgspec

from activity.errors import ActivityError
from db.records.values import EnrichedKind
from producers.enrichment.configuration import ProviderConfig
from producers.http import Outbound
from producers.signals.configuration import InvalidConfiguration

GROUP = "activity.enrichment_providers"


class ProviderFailed(ActivityError):
    """A call got no usable answer.

    `transient`: repeating it soon may help; `after_s`: how long the provider asks to wait.
    """

    def __init__(self, reason: str, *, transient: bool = False, after_s: float | None = None) -> None:
        super().__init__(reason)
        self.transient = transient
        self.after_s = after_s


class FoundValue(msgspec.Struct, frozen=True):
    """A value that a provider knows, and how sure it is, from 0 to 1."""

    value: Any
    confidence: float = 1.0


ProviderAnswer = Mapping[str, FoundValue]
"""What a provider knows, by field; empty where it knows nothing."""


@dataclass(frozen=True, slots=True)
class Question:
    """Which fields of which record are wanted. `values` are the record's own, columns and fields alike.

    `idempotency_key` is the same when a call is made again because it is unknown how it ended: a provider
    that honours it charges once.
    """

    tenant: int
    tenant_slug: str
    kind: EnrichedKind
    record_id: str
    values: Mapping[str, Any]
    fields: tuple[str, ...]
    idempotency_key: str


class EnrichmentProvider(Protocol):
    """A source of field values.

    Its constructor takes its options and its Surroundings; it raises ValueError on options it cannot use.
    """

    batch_size: int
    """How many questions one call can hold."""

    def key(self, question: Question) -> str | None:
        """Return what the answer depends on, for the cache; None where the record lacks what this asks by."""

    async def ask(self, questions: Sequence[Question]) -> Sequence[ProviderAnswer]:
        """Answer at most `batch_size` questions in one call, in their order. Raises ProviderFailed."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a provider works with."""

    name: str
    outbound: Outbound
    timeout_s: float


@cache
def _classes() -> Mapping[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=GROUP)}


def make(name: str, config: ProviderConfig, outbound: Outbound) -> EnrichmentProvider:
    """Make the provider that the configuration names. Raises InvalidConfiguration."""
    entry = _classes().get(config.uses)
    if entry is None:
        known = ", ".join(sorted(_classes()))
        raise InvalidConfiguration(
            f"providers.{name}.uses: no provider class {config.uses!r}; there are: {known}"
        )
    surroundings = Surroundings(name, outbound, config.timeout_s)
    try:
        provider: EnrichmentProvider = entry.load()(config.options, surroundings)
    except ValueError as error:  # pydantic's ValidationError is one
        raise InvalidConfiguration(f"providers.{name}.options: {error}") from None
    return provider
