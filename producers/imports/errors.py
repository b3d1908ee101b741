"""What can go wrong with an import."""

from activity.errors import ActivityError


class MappingInvalid(ActivityError):
    """A mapping file that says something else than it may: names the TOML key and what is allowed."""

    def __init__(self, key: str, fault: str) -> None:
        super().__init__(f"{key}: {fault}")


class RowRejected(ActivityError):
    """A row that can't be what the mapping says: names the TOML key, and the value at fault."""


class ImportFailed(ActivityError):
    """A file that can't be read as the mapping says."""
