"""Every event type by name: the built-in ones, and those that the deployment declares."""

import difflib
import re
from collections.abc import Mapping
from types import MappingProxyType

from activity.catalogue.declared import declared
from activity.catalogue.types import (
    automation,
    conversations,
    corrections,
    deals,
    email,
    records,
    signals,
    suppression,
)
from activity.event_type import EventType

_BUILT_IN = (
    *email.TYPES,
    *suppression.TYPES,
    *conversations.TYPES,
    *records.TYPES,
    *deals.TYPES,
    *signals.TYPES,
    *automation.TYPES,
    *corrections.TYPES,
)

# `enrichment_completed` has no dot. Both it and `enrichment` are reserved, so that neither `enrichment.x`
# nor `enrichment_completed.x` is accepted.
NAMESPACES = frozenset(
    first for known in _BUILT_IN for first in (known.name.split(".")[0], re.split("[._]", known.name)[0])
)
"""First segments of type names that a workspace's own types may not use, declared or not."""

_TYPES = (*_BUILT_IN, *declared(NAMESPACES))

VERSIONS: Mapping[tuple[str, int], EventType] = MappingProxyType(
    {(known.name, known.version): known for known in _TYPES}
)
"""Every type at every version of its payload that events may have been stored with."""

CATALOGUE: Mapping[str, EventType] = MappingProxyType(
    {known.name: known for known in sorted(_TYPES, key=lambda known: known.version)}
)
"""Every type at its newest version."""

_SYSTEM = ("mailbox.", "playbook.", "sequence.")
SYSTEM_TYPES = frozenset(
    {name for name in CATALOGUE if name.startswith(_SYSTEM)}
    | corrections.ERASURES
    | {"event.classified", "import.completed", "privacy.contents_changed"}
    | {known.name for known in suppression.TYPES}
)
"""Types by which the system tells what it did itself: from anybody else they would be false evidence."""

SYSTEM_SOURCES = frozenset(
    {"classify", "enrichment", "erasure", "inbound", "playbook", "sequence", "signals", "suppression"}
)
"""Sources of the system's own producers; so is every one that begins with `webhook:`."""


def nearest(name: str) -> str | None:
    """Return the built-in type that a misspelt name means, or None if none is close.

    Outside the reserved namespaces only a near-identical name is close: `billing.completed` is a workspace's
    own, `emial.sent` is not.
    """
    name = name[:100].lower()
    names = [known.name for known in _BUILT_IN]
    cutoff = 0.6 if name.split(".")[0] in NAMESPACES else 0.88
    return next(iter(difflib.get_close_matches(name, names, n=1, cutoff=cutoff)), None)
