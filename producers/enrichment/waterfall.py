"""The waterfall: which provider is asked next, and for what."""

from collections.abc import Collection, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from producers.enrichment.configuration import FieldConfig


class Offer(NamedTuple):
    """A value that a provider offers for a field."""

    value: Any
    confidence: float
    provider: str
    cost: Decimal
    obtained_at: datetime


class ProviderCall(NamedTuple):
    """One call to make: the provider, and the fields that it is asked for."""

    provider: str
    fields: tuple[str, ...]


def next_call(
    wanted: Mapping[str, FieldConfig], tried: Collection[str], settled: Collection[str]
) -> ProviderCall | None:
    """Return the next call, or None where no provider is left.

    It goes to the next untried provider of the first field that is not settled, and asks for all such fields
    that list it.
    """
    open_fields = {name: field for name, field in wanted.items() if name not in settled}
    for field in open_fields.values():
        for provider in field.providers:
            if provider not in tried:
                listing = (name for name, other in open_fields.items() if provider in other.providers)
                return ProviderCall(provider, tuple(listing))
    return None
