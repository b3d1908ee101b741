"""A deployment's enrichment in one TOML file: fields, waterfalls, providers, budget, schedule, signals."""

from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from activity.settings import settings
from db.records.values import EnrichedKind
from producers.signals.configuration import FieldName, SignalConfiguration, read

Money = Annotated[Decimal, Field(ge=0, max_digits=12, decimal_places=6)]
_DEFAULT = Path(__file__).with_name("default.toml")


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FieldConfig(_Section):
    """One enrichable field: its type, its providers in order, and the confidence that settles it."""

    type: Literal["text", "url", "integer", "number", "boolean", "list"] = "text"
    providers: Annotated[tuple[str, ...], Field(min_length=1)]
    confidence: Annotated[float, Field(ge=0, le=1)] = 0.5
    max_age_days: Annotated[float, Field(gt=0)] = 180  # an older value gives way to any newer one


class ProviderConfig(_Section):
    """One provider: the class that serves it, its options, its cost and its limits."""

    uses: str
    options: dict[str, object] = {}
    cost: Money = Decimal(0)  # of an answered call
    cost_per_field: Money = Decimal(0)  # of each wanted field that it found, on top
    charges_misses: bool = False  # whether an answer that knows nothing costs as well
    rate_per_s: Annotated[float, Field(gt=0)] | None = None  # over all workers
    concurrency: Annotated[int, Field(ge=1, le=1000)] = 10  # calls at once, in each worker process
    timeout_s: Annotated[float, Field(gt=0, le=30)] = 5
    tries: Annotated[int, Field(ge=1, le=5)] = 2  # requests for one call, with back-off between them
    breaker_failures: Annotated[int, Field(ge=1)] = 10  # failed calls in a row that open the breaker
    breaker_s: Annotated[float, Field(gt=0)] = 30  # how long it stays open; then one call tries
    cache_days: Annotated[float, Field(ge=0)] = 0
    negative_cache_days: Annotated[float, Field(ge=0)] = 0  # for "nothing known"

    def price(self, fields: int) -> Decimal:
        """Return what a call costs that finds so many fields: the most that a call for so many can cost."""
        return self.cost + self.cost_per_field * fields


class Budget(_Section):
    """What enrichment may cost a tenant in a calendar month (UTC); no limit where none is given."""

    monthly: Money | None = None
    tenants: Mapping[str, Money] = {}  # by slug, instead of `monthly`

    def of(self, slug: str) -> Decimal | None:
        """Return the month's budget of the tenant with this slug."""
        return self.tenants.get(slug, self.monthly)


class Schedule(_Section):
    """When records are enriched again."""

    after_days: Annotated[float, Field(gt=0)]
    fields: tuple[FieldName, ...] | None = None


class Configuration(SignalConfiguration):
    """The whole file."""

    model_config = ConfigDict(extra="forbid")

    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")] = "EUR"
    concurrency: Annotated[int, Field(ge=1, le=1000)] = 50  # passes in progress in one worker process
    budget: Budget = Budget()
    fields: Mapping[EnrichedKind, Mapping[FieldName, FieldConfig]] = {}
    providers: Mapping[Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,62}$")], ProviderConfig] = {}
    schedule: Mapping[EnrichedKind, Schedule] = {}

    def fields_of(self, kind: EnrichedKind) -> Mapping[str, FieldConfig]:
        """Return the configured fields of a kind of record."""
        return self.fields.get(kind, {})

    @model_validator(mode="after")
    def _names_exist(self) -> Self:
        for kind, fields in self.fields.items():
            for name, field in fields.items():
                if unknown := [provider for provider in field.providers if provider not in self.providers]:
                    known = ", ".join(sorted(self.providers))
                    place = f"fields.{kind}.{name}"
                    raise ValueError(f"{place} names the provider {unknown[0]!r}; there are: {known}")
        for kind, schedule in self.schedule.items():
            if missing := set(schedule.fields or ()) - set(self.fields_of(kind)):
                raise ValueError(f"schedule.{kind} names the unknown field {min(missing)!r}")
        return self


def configuration() -> Configuration:
    """Return this process's enrichment configuration, read once. Raises InvalidConfiguration."""
    return load(settings().enrichment_config or _DEFAULT)


@cache
def load(path: Path) -> Configuration:
    """Return the configuration in a file. Raises InvalidConfiguration."""
    return read(Configuration, path)
