"""Errors of the command line, and its exit codes."""

from activity.errors import ActivityError

FINDING, USAGE, UNREACHABLE, INTERRUPTED = 1, 2, 3, 130


class Unreachable(ActivityError):
    """A server that this command needs cannot be started or reached; the exit code says so."""
