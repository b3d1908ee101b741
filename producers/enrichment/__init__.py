"""Enrichment: passes over accounts and contacts that fill in fields from providers, and say in one event what they did."""

from producers.enrichment.asking import FieldUnknown, Priority, RecordUnknown, ask, ask_all

__all__ = ["FieldUnknown", "Priority", "RecordUnknown", "ask", "ask_all"]
