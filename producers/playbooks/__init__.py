"""Playbooks: plays that run when the timeline says so."""
