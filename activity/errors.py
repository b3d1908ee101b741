"""The base error and the errors of this package. Messages say what to do."""


class ActivityError(Exception):
    """The base of every error this project raises on purpose."""


class SettingMissing(ActivityError):
    """A setting that this process needs is not given."""


class InvalidSetting(ActivityError):
    """A setting that is given has a value that cannot be used."""


class InvalidEvent(ActivityError, ValueError):
    """An event that may not enter the log: the field, what is wrong with it, and what would be right."""

    def __init__(self, field: str, fault: str, right: str) -> None:
        super().__init__(f"{field}: {fault}; {right}")
        self.field = field
        self.fault = fault
        self.right = right
