"""Which events a reader asks for: one description, as conditions in SQL and as a test of an event in hand."""

from collections.abc import Callable, Collection
from datetime import datetime
from operator import contains, eq, ge, gt, le
from typing import Any, NamedTuple

import msgspec
from sqlalchemy.orm import Session

from activity.catalogue import CATALOGUE, Category
from activity.event import RecordedEvent
from db.records import records

LOOK = 5000  # rows read for a filter that has no index, before a page comes short
HIERARCHY = [name for name, known in CATALOGUE.items() if known.category is Category.HIERARCHY]

Predicate = Callable[[RecordedEvent], bool]


class _Rule(NamedTuple):
    """What a field of a filter asks of a column: as an operator of SQL, and of a wanted and a found value."""

    column: str
    sql: str
    holds: Callable[[Any, Any], bool]  # the value that the filter gives first


_RULES = {
    "account": _Rule("account_id", "= %(account)s", eq),
    "contact": _Rule("contact_id", "= %(contact)s", eq),
    "actor": _Rule("actor", "= %(actor)s", eq),
    "source": _Rule("source", "= %(source)s", eq),
    "record_type": _Rule("record_type", "= %(record_type)s", eq),
    "record_id": _Rule("record_id", "= %(record_id)s", eq),
    "types": _Rule("type", "= any(%(types)s)", contains),
    "since": _Rule("occurred_at", ">= %(since)s", le),
    "until": _Rule("occurred_at", "< %(until)s", gt),
    "as_of": _Rule("seq", "<= %(as_of)s", ge),
}
_BENEATH = "account_id = any(%(accounts)s) and (account_id <> %(beneath)s or type = any(%(hierarchy)s))"


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """The events that meet every field that is given.

    `types` means any of these. `beneath` means the events of the accounts beneath this one, and the changes
    of its own place among them. `since` is included, `until` is not. `as_of` is the log as it was when its
    last event had this number.
    """

    account: str | None = None
    contact: str | None = None
    beneath: str | None = None
    types: tuple[str, ...] = ()
    record_type: str | None = None
    record_id: str | None = None
    actor: str | None = None
    source: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    as_of: int | None = None

    def conditions(self) -> dict[str, str]:
        """Return the SQL conditions, by the field that makes each; `values` has what they name."""
        found = {name: f"{rule.column} {rule.sql}" for name, rule in _RULES.items() if self._asks(name)}
        return found | ({"beneath": _BENEATH} if self.beneath is not None else {})

    def values(self, accounts: Collection[str]) -> dict[str, object]:
        """Return the values that the conditions name. `accounts`: what `accounts_beneath` returned."""
        found = {name: getattr(self, name) for name in self.conditions()}
        if self.types:
            found["types"] = sorted(set(self.types))
        if self.beneath is not None:
            found |= {"accounts": list(accounts), "hierarchy": HIERARCHY}
        return found

    def predicate(self, accounts: Collection[str]) -> Predicate:
        """Return the function that tells whether an event meets the conditions.

        `accounts`: as for `values`.
        """
        values = self.values(())
        rules = [(rule.column, rule.holds, values[name]) for name, rule in _RULES.items() if name in values]
        among = frozenset(accounts)

        def passes(event: RecordedEvent) -> bool:
            return all(holds(wanted, getattr(event, column)) for column, holds, wanted in rules) and (
                self.beneath is None or self._is_beneath(event, among)
            )

        return passes

    def _is_beneath(self, event: RecordedEvent, accounts: Collection[str]) -> bool:
        return event.account_id in accounts and (event.account_id != self.beneath or event.type in HIERARCHY)

    def _asks(self, name: str) -> bool:
        return getattr(self, name) not in (None, ())


def accounts_beneath(session: Session, tenant: int, which: Filter) -> list[str]:
    """Return the account that `which.beneath` names and those beneath it now; none where it names none."""
    if which.beneath is None:
        return []
    return [*records.beneath(session, tenant, which.beneath), which.beneath]
