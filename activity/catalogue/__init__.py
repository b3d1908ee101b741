"""Every event type as data: its payload, category, icon, title, example and summary."""

from activity.catalogue.registry import (
    CATALOGUE,
    NAMESPACES,
    SYSTEM_SOURCES,
    SYSTEM_TYPES,
    VERSIONS,
    nearest,
)
from activity.catalogue.summary import summarise, summary_parts
from activity.event_type import Category, DeclaredType, EventType, Payload, Tone

__all__ = [
    "CATALOGUE",
    "NAMESPACES",
    "SYSTEM_SOURCES",
    "SYSTEM_TYPES",
    "VERSIONS",
    "Category",
    "DeclaredType",
    "EventType",
    "Payload",
    "Tone",
    "nearest",
    "summarise",
    "summary_parts",
]
