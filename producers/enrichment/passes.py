"""A claimed pass under way: what is known of it in this process, and what its calls came to."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from sqlalchemy import Row

from db.enrichment.passes import ClaimedPass
from producers.enrichment.calls.values import ValueUnusable, checked
from producers.enrichment.configuration import FieldConfig, ProviderConfig
from producers.enrichment.provider import Answer, Found, ProviderFailed, Question
from producers.enrichment.waterfall import Offer, Step, next_step

_CALLS = uuid5(NAMESPACE_URL, "enrichment_call")
_COLUMN_LIMIT = 200  # characters that a column of its own can hold
_COLUMNS = ("name", "domain", "email", "account_id")
_MICRO = Decimal("0.000001")


@dataclass
class Ended:
    """How a call ended: with what was found, or with the reason why it failed."""

    provider: str
    attempt: int
    key: str
    obtained_at: datetime
    month: date
    tries: int = 1
    found: Mapping[str, Found] | None = None
    cost: Decimal = Decimal(0)
    reason: str | None = None
    reserved: Decimal = Decimal(0)


@dataclass
class Work:
    """A pass that this process holds. `tried` names each provider with why it gave no answer, None where it answered."""

    row: ClaimedPass
    slug: str
    values: dict[str, Any] | None  # None: the record is gone
    wanted: Mapping[str, FieldConfig]
    tried: dict[str, str | None] = field(default_factory=dict)
    offers: dict[str, Offer] = field(default_factory=dict)
    lost: dict[str, int] = field(
        default_factory=dict
    )  # the last attempt, by provider, of calls whose end is not known
    cost: Decimal = Decimal(0)
    cached: set[str] = field(default_factory=set)
    started: datetime = field(default_factory=lambda: datetime.now(UTC))

    def next_step(self) -> Step | None:
        """Return the next call to make."""
        return next_step(self.wanted, self.tried, self.offers) if self.values is not None else None

    def question(self, step: Step) -> Question:
        """Return what the step asks."""
        assert self.values is not None
        email = self.values.get("email")
        values = self.values | (
            {"email_domain": email.rpartition("@")[2].lower()} if isinstance(email, str) else {}
        )
        key = str(uuid5(_CALLS, f"{self.row.event_id}:{step.provider}"))
        return Question(
            self.row.tenant_id, self.slug, self.row.kind, self.row.record_id, values, step.fields, key
        )

    def take(self, ended: Ended, *, cached: bool = False) -> None:
        """Count a call's end in: its cost, and what it offers above the confidence that is asked."""
        self.tried[ended.provider] = ended.reason
        self.cost += ended.cost
        if cached:
            self.cached.add(ended.provider)
        found = ended.found or {}
        share = (ended.cost / len(found)).quantize(_MICRO) if found else Decimal(0)
        for name, value in found.items():
            if (
                name in self.wanted
                and name not in self.offers
                and value.confidence >= self.wanted[name].confidence
            ):
                self.offers[name] = Offer(
                    value.value, value.confidence, ended.provider, share, ended.obtained_at
                )


def resume(work: Work, calls: list[Row[Any]]) -> None:
    """Count in what an earlier holder of the pass was answered, so that no answered call is made again."""
    for call in calls:
        if call.state == "lost":
            work.lost[call.provider] = call.attempt
            continue
        found = None if call.found is None else {name: Found(**value) for name, value in call.found.items()}
        ended = Ended(
            call.provider,
            call.attempt,
            "",
            call.ended_at,
            call.month,
            call.tries,
            found,
            call.cost,
            call.reason,
        )
        work.take(ended, cached=call.state == "cached")


def usable(work: Work, step: Step, answer: Answer) -> dict[str, Found]:
    """Return the part of an answer that was asked for, checked; raise ProviderFailed where one is not what it should be."""
    found = {}
    for name in step.fields:
        if (said := answer.get(name)) is None:
            continue
        try:
            value = checked(work.wanted[name].type, said.value)
        except ValueUnusable as error:
            raise ProviderFailed(f"{name}: {error}") from None
        if name in _COLUMNS and isinstance(value, str) and len(value) > _COLUMN_LIMIT:
            raise ProviderFailed(f"{name}: expected up to {_COLUMN_LIMIT} characters")
        if not 0 <= said.confidence <= 1:
            raise ProviderFailed(f"{name}: a confidence is a number from 0 to 1")
        if value is not None:
            found[name] = Found(value, float(said.confidence))
    return found


def price(config: ProviderConfig, found: Mapping[str, Found]) -> Decimal:
    """Return what an answered call costs."""
    if not found and not config.charges_misses:
        return Decimal(0)
    return config.cost + config.cost_per_field * len(found)


def highest_price(config: ProviderConfig, fields: int) -> Decimal:
    """Return what a call for so many fields can cost at the most."""
    return config.cost + config.cost_per_field * fields


def event_id(work: Work) -> UUID:
    """Return the id of the one event that the pass ends in."""
    identity: UUID = work.row.event_id
    return identity
