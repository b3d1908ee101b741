"""The signal rules of a deployment: the part `signals` of the TOML file that configures enrichment too."""

import tomllib
from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from activity.errors import ActivityError
from activity.settings import settings
from db.records.values import EnrichedKind

FieldName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]


class InvalidConfiguration(ActivityError):
    """The enrichment configuration cannot be used; the message names the file and every faulty place."""


class SignalRule(BaseModel):
    """A rule that detects a signal: in a field that a pass changed (`field`), or in events (`events`)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rule: Annotated[str, Field(min_length=1, max_length=200)]
    version: Annotated[int, Field(ge=1)] = 1
    signal: Annotated[str, Field(min_length=1, max_length=200)]
    name: str | None = None
    score: Annotated[float, Field(ge=-1e6, le=1e6)] | None = None
    window_hours: Annotated[float, Field(gt=0, le=24 * 3660)] = 24.0  # it fires once a record in this time

    field: FieldName | None = None
    kind: EnrichedKind = "account"  # whose field, or which record the events are counted for
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


class SignalConfiguration(BaseModel):
    """The rules in the file; whatever else the file holds is another's."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    signals: tuple[SignalRule, ...] = ()

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        if len({rule.rule for rule in self.signals}) < len(self.signals):
            raise ValueError("two signal rules have the same name")
        return self


M = TypeVar("M", bound=BaseModel)


def read(model: type[M], path: Path) -> M:
    """Return what a TOML file configures. Raises InvalidConfiguration."""
    try:
        return model.model_validate(tomllib.loads(path.read_text()))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidConfiguration(
            f"{path}: {error}: correct it, or unset ACTIVITY_ENRICHMENT_CONFIG"
        ) from None
    except ValidationError as error:
        faults = (
            f"{'.'.join(map(str, fault['loc'])) or 'file'}: {fault['msg']}"
            for fault in error.errors(include_input=False)
        )
        raise InvalidConfiguration(f"{path}: {'; '.join(faults)}") from None


def event_rules() -> list[SignalRule]:
    """Return the configured rules that look at events, read once a process. Raises InvalidConfiguration."""
    path = settings().enrichment_config
    return [] if path is None else [rule for rule in _load(path).signals if rule.events]


@cache
def _load(path: Path) -> SignalConfiguration:
    return read(SignalConfiguration, path)
