"""What a deployment says about enrichment, in one TOML file: fields and their waterfalls, providers, budget, schedule, signal rules."""

import tomllib
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from activity.errors import ActivityError
from activity.settings import settings

Kind = Literal["account", "contact"]
FieldName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
Money = Annotated[Decimal, Field(ge=0, max_digits=12, decimal_places=6)]
_DEFAULT = Path(__file__).with_name("default.toml")


class ConfigurationInvalid(ActivityError):
    """The enrichment configuration cannot be used: the message names the file and each place with its fault."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FieldConfig(_Part):
    """One enrichable field: its type, the providers asked for it in order, and how sure one must be for the search to stop."""

    type: Literal["text", "url", "integer", "number", "boolean", "list"] = "text"
    providers: Annotated[tuple[str, ...], Field(min_length=1)]
    confidence: Annotated[float, Field(ge=0, le=1)] = 0.5
    max_age_days: Annotated[float, Field(gt=0)] = (
        180  # after that a value is replaced by a newer one, however sure it was
    )


class ProviderConfig(_Part):
    """One provider: which class serves it, with which options, at which cost and within which limits."""

    uses: str
    options: dict[str, Any] = {}
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


class Budget(_Part):
    """What enrichment may cost a tenant in a calendar month (UTC); no limit where none is given."""

    monthly: Money | None = None
    tenants: Mapping[str, Money] = {}  # by slug, instead of `monthly`

    def of(self, slug: str) -> Decimal | None:
        """Return the month's budget of the tenant with this slug."""
        return self.tenants.get(slug, self.monthly)


class Schedule(_Part):
    """Which records are enriched again by themselves."""

    after_days: Annotated[float, Field(gt=0)]
    fields: tuple[FieldName, ...] | None = None


class Rule(_Part):
    """A rule that detects a signal: in a field that a pass changed, or in events of the timeline. It has `field` or `events`."""

    rule: Annotated[str, Field(min_length=1, max_length=200)]
    version: Annotated[int, Field(ge=1)] = 1
    signal: Annotated[str, Field(min_length=1, max_length=200)]
    name: str | None = None
    score: Annotated[float, Field(ge=-1e6, le=1e6)] | None = None
    window_hours: Annotated[float, Field(gt=0, le=24 * 3660)] = 24.0  # it fires once a record in this time

    field: FieldName | None = None
    kind: Kind = "account"  # whose field, or which record the events are counted for
    change: Literal["any", "increases", "gains"] = "any"  # gains: a list got a new item
    at_least: float | None = None  # how much it must increase
    value: str | None = None  # the new value or item, in any case of letters

    events: tuple[str, ...] = ()
    count: Annotated[int, Field(ge=1, le=1000)] = 1
    within_hours: Annotated[float, Field(gt=0, le=24 * 366)] = 24.0
    human: bool = True  # pass over opens and clicks that a machine made
    payload: Mapping[str, str] = {}  # payload fields that must hold these texts, in any case of letters

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if bool(self.events) == bool(self.field):
            raise ValueError("give either field or events")
        return self

    @property
    def window(self) -> timedelta:
        """How long the rule is silent for a record once it fired."""
        return timedelta(hours=self.window_hours)


class Configuration(_Part):
    """The whole file."""

    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")] = "EUR"
    concurrency: Annotated[int, Field(ge=1, le=1000)] = 50  # passes under way in one worker process
    budget: Budget = Budget()
    fields: Mapping[Kind, Mapping[FieldName, FieldConfig]]
    providers: Mapping[Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,62}$")], ProviderConfig]
    schedule: Mapping[Kind, Schedule] = {}
    signals: tuple[Rule, ...] = ()

    @model_validator(mode="after")
    def _names_exist(self) -> Self:
        for kind, fields in self.fields.items():
            for name, field in fields.items():
                for provider in field.providers:
                    if provider not in self.providers:
                        raise ValueError(
                            f"fields.{kind}.{name} names the provider {provider!r}; there are: {', '.join(sorted(self.providers))}"
                        )
        for kind, schedule in self.schedule.items():
            if unknown := set(schedule.fields or ()) - set(self.fields.get(kind, {})):
                raise ValueError(f"schedule.{kind} names the unknown field {min(unknown)!r}")
        if len({rule.rule for rule in self.signals}) < len(self.signals):
            raise ValueError("two signal rules have the same name")
        return self


def configuration() -> Configuration:
    """Return this process's enrichment configuration, read once; raises ConfigurationInvalid."""
    return _load(settings().enrichment_config or _DEFAULT)


@cache
def _load(path: Path) -> Configuration:
    try:
        said = tomllib.loads(path.read_text())
        return Configuration.model_validate(
            {"fields": {}, "providers": {}}
            | said
            | {"fields": {"account": {}, "contact": {}} | said.get("fields", {})}
        )
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationInvalid(
            f"{path}: {error}: correct it, or unset ACTIVITY_ENRICHMENT_CONFIG"
        ) from None
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, fault['loc'])) or 'file'}: {fault['msg']}"
            for fault in error.errors(include_input=False)
        )
        raise ConfigurationInvalid(f"{path}: {faults}") from None
