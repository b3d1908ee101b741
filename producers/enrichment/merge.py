"""Whose value a field gets. What a person entered is never overwritten; a provider's value gives way to a better or a newer one.

A value is a provider's as long as it is still the one that its provenance names; any other was entered by a person or by an import.
"""

from datetime import datetime, timedelta
from enum import Enum
from typing import Any, NamedTuple

from producers.enrichment.waterfall import Offer


class Known(NamedTuple):
    """What a provider said last time that was taken over."""

    value: Any
    provider: str
    confidence: float
    obtained_at: datetime


class Verdict(Enum):
    """What becomes of an offer."""

    SET = "set"  # the field gets the value
    CONFIRM = "confirm"  # the field has it: its provenance is renewed
    KEEP_PERSON = "keep_person"
    KEEP_BETTER = "keep_better"


def same(one: Any, other: Any) -> bool:
    """Say whether two JSON values are equal; true is not 1."""
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


def decide(current: Any, known: Known | None, offer: Offer, max_age: timedelta) -> Verdict:
    """Judge an offer for a field that holds `current` (None: nothing) and whose provenance is `known`."""
    if current is None:
        return Verdict.SET
    if known is None or not same(known.value, current):
        return Verdict.KEEP_PERSON
    if not _wins(known, offer, max_age):
        return Verdict.KEEP_BETTER
    return Verdict.CONFIRM if same(current, offer.value) else Verdict.SET


def _wins(known: Known, offer: Offer, max_age: timedelta) -> bool:
    """Surer wins; as sure and newer wins; and whatever is newer wins over what is older than `max_age`."""
    newer_by = offer.obtained_at - known.obtained_at
    if offer.confidence != known.confidence:
        return offer.confidence > known.confidence or newer_by > max_age
    return newer_by > timedelta(0)
