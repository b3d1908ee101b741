"""What a call came to: its answer checked against the fields that were asked for, and its cost."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from db.records.values import ENRICHED
from producers.enrichment.calls.values import InvalidValue, checked
from producers.enrichment.configuration import FieldConfig, ProviderConfig
from producers.enrichment.provider import FoundValue, ProviderAnswer, ProviderFailed

_COLUMN_LIMIT = 200  # characters that a column of its own can hold
_COLUMNS = {column for columns in ENRICHED.values() for column in columns}


@dataclass(frozen=True)
class CallResult:
    """What a call came to: `found`, or the `reason` why it failed. `tries` counts its requests."""

    provider: str
    obtained_at: datetime
    found: Mapping[str, FoundValue] | None = None
    cost: Decimal = Decimal(0)
    reason: str | None = None
    tries: int = 1


def result_of(
    provider: str,
    config: ProviderConfig,
    wanted: Mapping[str, FieldConfig],
    answer: ProviderAnswer | ProviderFailed,
    tries: int,
) -> CallResult:
    """Return what a call for the wanted fields came to; an answer with an unusable value is a failure."""
    now = datetime.now(UTC)
    try:
        if isinstance(answer, ProviderFailed):
            raise answer
        found = _usable(wanted, answer)
    except ProviderFailed as failed:
        return CallResult(provider, now, reason=str(failed)[:500], tries=tries)
    cost = config.price(len(found)) if found or config.charges_misses else Decimal(0)
    return CallResult(provider, now, found, cost, tries=tries)


def _usable(wanted: Mapping[str, FieldConfig], answer: ProviderAnswer) -> dict[str, FoundValue]:
    found = {}
    for name, field in wanted.items():
        offered = answer.get(name)
        value = None if offered is None else _checked(name, field, offered)
        if value is not None:
            found[name] = value
    return found


def _checked(name: str, field: FieldConfig, offered: FoundValue) -> FoundValue | None:
    try:
        value = checked(field.type, offered.value)
    except InvalidValue as error:
        raise ProviderFailed(f"{name}: {error}") from None
    if name in _COLUMNS and isinstance(value, str) and len(value) > _COLUMN_LIMIT:
        raise ProviderFailed(f"{name}: expected at most {_COLUMN_LIMIT} characters")
    if not 0 <= offered.confidence <= 1:
        raise ProviderFailed(f"{name}: a confidence is a number from 0 to 1")
    return None if value is None else FoundValue(value, float(offered.confidence))
