"""Enrichment: passes over accounts and contacts fill in fields from providers, each ending in one event."""

from producers.enrichment.asking import FieldNotFound, Priority, ask, ask_all

__all__ = ["FieldNotFound", "Priority", "ask", "ask_all"]
