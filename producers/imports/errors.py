"""Errors of an import."""

from activity.errors import ActivityError


class InvalidMapping(ActivityError):
    """A mapping file with a key or value that is not allowed: names the TOML key and what is."""

    def __init__(self, key: str, fault: str) -> None:
        super().__init__(f"{key}: {fault}")


class RowRejected(ActivityError):
    """A row that does not fit the mapping: names the TOML key, and the value at fault."""


class ImportFailed(ActivityError):
    """A file that cannot be read in the form that the mapping states."""
