"""A claimed pass in progress: what this process knows of it, and what its calls came to."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from db.enrichment.ledger import LedgerCall
from db.enrichment.passes import ClaimedPass
from producers.enrichment.calls.results import CallResult
from producers.enrichment.configuration import FieldConfig
from producers.enrichment.provider import FoundValue, Question
from producers.enrichment.waterfall import Offer, ProviderCall

_CALLS = uuid5(NAMESPACE_URL, "enrichment_call")
_MICRO = Decimal("0.000001")


@dataclass
class Work:
    """A pass that this process holds.

    `tried` names each provider with the reason why it gave no answer, None where it answered. `lost` has, by
    provider, the last attempt of a call of which it is unknown how it ended.
    """

    row: ClaimedPass
    slug: str
    values: dict[str, object] | None  # None: the record no longer exists
    wanted: Mapping[str, FieldConfig]
    tried: dict[str, str | None] = field(default_factory=dict)
    offers: dict[str, Offer] = field(default_factory=dict)
    lost: dict[str, int] = field(default_factory=dict)
    cost: Decimal = Decimal(0)
    cached: set[str] = field(default_factory=set)
    started: datetime = field(default_factory=lambda: datetime.now(UTC))

    def question(self, call: ProviderCall) -> Question:
        """Return what the call asks."""
        assert self.values is not None
        values, email = self.values, self.values.get("email")
        if isinstance(email, str):
            values = values | {"email_domain": email.rpartition("@")[2].lower()}
        row = self.row
        key = str(uuid5(_CALLS, f"{row.event_id}:{call.provider}"))
        return Question(row.tenant_id, self.slug, row.kind, row.record_id, values, call.fields, key)

    def add(self, result: CallResult, *, cached: bool = False) -> None:
        """Count a call in: its cost, and the values that it offers at or above the confidence they need."""
        self.tried[result.provider] = result.reason
        self.cost += result.cost
        if cached:
            self.cached.add(result.provider)
        found = result.found or {}
        share = (result.cost / len(found)).quantize(_MICRO) if found else Decimal(0)
        for name, one in found.items():
            needed = self.wanted.get(name)
            if needed and name not in self.offers and one.confidence >= needed.confidence:
                self.offers[name] = Offer(
                    one.value, one.confidence, result.provider, share, result.obtained_at
                )


def resume(work: Work, calls: Iterable[LedgerCall]) -> None:
    """Count in what earlier holders of the pass were answered, so that no answered call is made again."""
    for call in calls:
        if call.state == "lost":
            work.lost[call.provider] = call.attempt
            continue
        found = None if call.found is None else found_from(call.found)
        result = CallResult(call.provider, call.ended_at, found, call.cost, call.reason)
        work.add(result, cached=call.state == "cached")


def found_from(stored: Mapping[str, Any]) -> dict[str, FoundValue]:
    """Return an answer as it was stored."""
    return {name: FoundValue(**one) for name, one in stored.items()}
