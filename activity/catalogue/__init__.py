"""Every built-in event type as data: its payload, category, icon, title, example and summary."""

from activity.catalogue.event_type import Category, EventType, Payload, Tone
from activity.catalogue.registry import (
    CATALOGUE,
    NAMESPACES,
    SYSTEM_SOURCES,
    SYSTEM_TYPES,
    VERSIONS,
    nearest,
)
from activity.catalogue.summary import summarise, summary_parts

__all__ = [
    "CATALOGUE",
    "NAMESPACES",
    "SYSTEM_SOURCES",
    "SYSTEM_TYPES",
    "VERSIONS",
    "Category",
    "EventType",
    "Payload",
    "Tone",
    "nearest",
    "summarise",
    "summary_parts",
]
