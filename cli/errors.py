"""Errors of the command line."""

from activity.errors import ActivityError


class Unreachable(ActivityError):
    """A server that this command needs cannot be started or reached; the exit code says so."""
