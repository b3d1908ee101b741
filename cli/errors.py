"""Errors of the command line, and its exit codes.

`words_of` has the one table of what is wrong outside: settings, files, servers, rights, versions.
"""

import sys
from collections.abc import Callable
from typing import NamedTuple

from activity.errors import ActivityError

FINDING, USAGE, UNREACHABLE, INTERRUPTED = 1, 2, 3, 130


class Unreachable(ActivityError):
    """A server that this command needs cannot be started or reached; the exit code says so."""


class FaultLine(NamedTuple):
    """A line for a person, and the command's exit code."""

    words: str
    code: int


def words_of(error: BaseException) -> FaultLine | None:
    """Return the line of an error, or None for a defect of this program."""
    if isinstance(error, ActivityError):
        return FaultLine(str(error), UNREACHABLE if isinstance(error, Unreachable) else USAGE)
    for module, names, words in _LIBRARIES:
        # A library that is not loaded raised nothing, and loading it takes time.
        known = tuple(getattr(sys.modules[module], name) for name in names) if module in sys.modules else ()
        if isinstance(error, known):
            return words(error)
    return _of_the_system(error) if isinstance(error, OSError) else None


def _away(error: BaseException) -> FaultLine:
    return FaultLine(f"cannot reach a server: {_line(error)}", UNREACHABLE)


def _refused(error: BaseException) -> FaultLine | None:
    """Return what a server refused for want of rights or of a schema; other refusals are our defects."""
    state = getattr(getattr(error, "orig", error), "sqlstate", None) or ""
    remedy = _REMEDIES.get(state)
    return FaultLine(f"{_line(error)}: {remedy}", USAGE) if remedy else None


_REMEDIES = {
    "42501": "the login in ACTIVITY_DATABASE_URL lacks a right; docs/deploy.md says which ones it needs",
    "42P01": "run `activity migrate` first",
    "3F000": "run `activity migrate` first",
    "42883": "run `activity migrate` first",
    "25006": "the server is a standby that cannot be written to; name the primary in ACTIVITY_DATABASE_URL",
}

_LIBRARIES: tuple[tuple[str, tuple[str, ...], Callable[[BaseException], FaultLine | None]], ...] = (
    ("sqlalchemy.exc", ("OperationalError",), _away),
    ("psycopg", ("OperationalError",), _away),
    ("redis.exceptions", ("ConnectionError", "TimeoutError"), _away),
    ("kombu.exceptions", ("OperationalError",), _away),
    ("sqlalchemy.exc", ("ProgrammingError", "InternalError"), _refused),
    ("psycopg", ("ProgrammingError", "InternalError"), _refused),
)


def _of_the_system(error: OSError) -> FaultLine | None:
    """Return what the system refused about a file or an address; an error of neither is a defect."""
    if error.filename is not None:
        return FaultLine(f"{error.filename}: {error.strerror or error}", USAGE)
    return _away(error) if isinstance(error, ConnectionError | TimeoutError) else None


def _line(error: BaseException) -> str:
    return (str(getattr(error, "orig", error)).strip() or type(error).__name__).splitlines()[0]
