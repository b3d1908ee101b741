"""Every built-in event type by name."""

import difflib
import re
from collections.abc import Mapping
from types import MappingProxyType

from activity.catalogue import automation, conversations, corrections, deals, email, records, signals
from activity.catalogue.event_type import EventType

_TYPES = (
    *email.TYPES,
    *conversations.TYPES,
    *records.TYPES,
    *deals.TYPES,
    *signals.TYPES,
    *automation.TYPES,
    *corrections.TYPES,
)

VERSIONS: Mapping[tuple[str, int], EventType] = MappingProxyType({(known.name, known.version): known for known in _TYPES})
"""Every type at every version of its payload that events may have been stored with."""

CATALOGUE: Mapping[str, EventType] = MappingProxyType({known.name: known for known in sorted(_TYPES, key=lambda known: known.version)})
"""Every type at its newest version."""

# `enrichment_completed` has no dot: both it and `enrichment` are taken, so that neither `enrichment.x` nor `enrichment_completed.x` passes.
NAMESPACES = frozenset(first for name in CATALOGUE for first in (name.split(".")[0], re.split("[._]", name)[0]))
"""First segments of type names that a workspace's own types may not use."""


def nearest(name: str) -> str | None:
    """The built-in type whose name is closest to a misspelt one; None when none is close."""
    return next(iter(difflib.get_close_matches(name[:100].lower(), CATALOGUE, n=1)), None)
