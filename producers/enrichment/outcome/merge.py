"""Which value a field gets.

What a person entered is never overwritten; a provider's value gives way to a better or a newer one. A value
is a provider's only while it is the one that its source names; any other came from a person or an import.
"""

from datetime import datetime, timedelta
from enum import Enum
from typing import NamedTuple

from producers.enrichment.waterfall import Offer


class StoredValue(NamedTuple):
    """The value that a field last got from a provider."""

    value: object
    provider: str
    confidence: float
    obtained_at: datetime


class MergeDecision(Enum):
    """What becomes of an offer."""

    SET = "set"  # the field gets the value
    CONFIRM = "confirm"  # the field has it: its source is renewed
    KEEP_PERSON = "keep_person"
    KEEP_BETTER = "keep_better"


def same(one: object, other: object) -> bool:
    """Return whether two JSON values are equal; true is not 1."""
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


def decide(current: object, stored: StoredValue | None, offer: Offer, max_age: timedelta) -> MergeDecision:
    """Decide on an offer for a field that holds `current`, None where it is empty."""
    if current is None:
        return MergeDecision.SET
    if stored is None or not same(stored.value, current):
        return MergeDecision.KEEP_PERSON
    if not _wins(stored, offer, max_age):
        return MergeDecision.KEEP_BETTER
    return MergeDecision.CONFIRM if same(current, offer.value) else MergeDecision.SET


def _wins(stored: StoredValue, offer: Offer, max_age: timedelta) -> bool:
    """Surer wins; as sure and newer wins; and whatever is newer wins over what is older than `max_age`."""
    newer_by = offer.obtained_at - stored.obtained_at
    if offer.confidence != stored.confidence:
        return offer.confidence > stored.confidence or newer_by > max_age
    return newer_by > timedelta(0)
