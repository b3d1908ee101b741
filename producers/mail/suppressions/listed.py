"""A list of addresses, as another system exports it: one a line, or CSV with a column of addresses."""

import csv
from collections.abc import Iterable, Iterator
from itertools import islice

from producers.mail.suppressions.by_hand import InvalidTarget, check_target

_COLUMNS = frozenset({"email", "address", "recipient", "emailaddress", "email address", "e-mail", "domain"})
MOST = 1_000_000  # lines of a list
_SHOWN = 5


class InvalidList(InvalidTarget):
    """A list in which some lines are neither an address nor a domain."""


def read_list(lines: Iterable[str]) -> list[str]:
    """Return the addresses and domains of a list, each once, in its order. Raises InvalidList.

    In CSV the column is the one whose name is of an address; without such a line it is the first.
    """
    found, wrong = dict[str, None](), list[str]()
    for number, written in _column(lines):
        if number > MOST:
            raise InvalidList(f"the list has more than {MOST:,} lines: import it in parts")
        try:
            found[check_target(written)] = None
        except InvalidTarget as error:
            wrong.append(f"line {number}: {error}")
    if wrong:
        more = f"; and {len(wrong) - _SHOWN} lines more" if len(wrong) > _SHOWN else ""
        raise InvalidList("nothing was imported: " + "; ".join(wrong[:_SHOWN]) + more)
    return list(found)


def parts(targets: Iterable[str], size: int = 1000) -> Iterator[list[str]]:
    """Yield a list in parts, each small enough for one transaction."""
    rest = iter(targets)
    while part := list(islice(rest, size)):
        yield part


def _column(lines: Iterable[str]) -> Iterator[tuple[int, str]]:
    """Yield the line's number and what stands in the column of addresses."""
    column = 0
    for number, row in enumerate(csv.reader(lines), 1):
        names = [cell.strip().lower().lstrip("\N{BYTE ORDER MARK}") for cell in row]
        if number == 1 and _COLUMNS & set(names):
            column = next(at for at, name in enumerate(names) if name in _COLUMNS)
        elif any(names):
            yield number, row[column].strip() if column < len(row) else ""
