"""Reads of the log in the feed's order, as the role reader in a transaction that names the tenant.

What happened last comes first. A page costs what it reads, whatever the length of the log.
"""

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from sqlalchemy.orm import Session

from activity.event import RecordedEvent
from db.engine import driver, driver_errors
from db.log.reading.filter import LOOK, Filter, accounts_beneath
from db.log.reading.rows import BARE, COLUMNS, fetch, utc

_BENEATH_LOOK = 100_000  # keys read for all accounts beneath one, together
_NEWEST = "order by occurred_at desc, seq desc"


class FeedKey(NamedTuple):
    """The place of an event in the feed."""

    occurred_at: datetime
    seq: int


def key_of(event: RecordedEvent) -> FeedKey:
    """Return the place of an event."""
    return FeedKey(event.occurred_at, event.seq)


class FeedSlice(NamedTuple):
    """The events found, the newest first, and the key down to which all that pass were found.

    None: to the end.
    """

    events: list[RecordedEvent]
    reached: FeedKey | None


def older(session: Session, tenant: int, which: Filter, before: FeedKey | None, limit: int) -> FeedSlice:
    """Return at most `limit` events that pass and are older than `before` (None: the newest), newest first.

    A filter that no index serves is tried on a bounded number of events: fewer than `limit` may be found
    though there are more. Go on from `reached`, unless that is None.
    """
    query = FeedQuery(tenant, which, accounts_beneath(session, tenant, which), before, limit)
    found = fetch(session, query.page(), query.values)
    if len(found) == limit:
        return FeedSlice(found, key_of(found[-1]))
    if not query.rest:
        return FeedSlice(found, None)
    with driver_errors():
        end = driver(session).execute(query.end().encode(), query.values).fetchone()
    if end is None:
        return FeedSlice(found, None)
    # The two statements see two moments: never go on from a newer key than that of an event already found.
    return FeedSlice(found, min([FeedKey(utc(end[0]), end[1]), *map(key_of, found[-1:])]))


def newer(session: Session, tenant: int, which: Filter, key: FeedKey, limit: int) -> list[RecordedEvent]:
    """Return the events just above a place that pass, the newest first; at most LOOK are tried."""
    conditions = which.conditions()
    lead = "".join(f" and {conditions[name]}" for name in ("account", "contact") if name in conditions)
    query = f"""
        select {COLUMNS} from (
          select {BARE} from activity.event
           where tenant_id = %(tenant)s{lead} and (occurred_at, seq) > (%(occurred_at)s, %(seq)s)
           order by occurred_at, seq limit %(look)s) above
         where {" and ".join(conditions.values()) or "true"} order by occurred_at, seq limit %(limit)s"""
    values = which.values(accounts_beneath(session, tenant, which))
    place = {"tenant": tenant, "look": LOOK, "limit": limit} | key._asdict()
    return fetch(session, query, values | place)[::-1]


# The newest keys by one index, by one probe for each type, or by one for each account. Each is made to be
# followed by a limit.
_KEYS = "select occurred_at, seq from activity.event where {within} {newest}"
_TYPE_KEYS = """
select x.occurred_at, x.seq from unnest(%(types)s::text[]) as t (name) cross join lateral (
  select occurred_at, seq from activity.event where {within} and type = t.name {newest} limit %(look)s) x
 order by x.occurred_at desc, x.seq desc"""
# First the newest event of each account: it shows which accounts can contribute at all.
_BENEATH_KEYS = """
with heads as materialized (
  select t.name, x.occurred_at, x.seq from unnest(%(accounts)s::text[]) as t (name) cross join lateral (
    select occurred_at, seq from activity.event where {within} and account_id = t.name {newest} limit 1) x
   order by x.occurred_at desc, x.seq desc limit %(look)s)
select x.occurred_at, x.seq from heads cross join lateral (
  select occurred_at, seq from activity.event
   where {within} and account_id = heads.name {newest} limit %(look)s) x
 order by x.occurred_at desc, x.seq desc"""
_MERGED = {"types": _TYPE_KEYS, "beneath": _BENEATH_KEYS}
_LEADS = ("contact", "account", "beneath", "types")  # what leads to the fewest rows comes first


class FeedQuery:
    """One page's statements.

    An index leads to the newest keys; the conditions that the index does not serve are the rest, tried row by
    row.
    """

    def __init__(
        self, tenant: int, which: Filter, accounts: Collection[str], before: FeedKey | None, limit: int
    ) -> None:
        conditions = which.conditions()
        lead = next((name for name in _LEADS if name in conditions), None)
        served = {"since", "until", lead} - {"beneath"}  # beneath leads to all events of its own account
        self.rest = [condition for name, condition in conditions.items() if name not in served]
        self._lead = lead if lead in _MERGED else None
        self._within = " and ".join(
            [
                "tenant_id = %(tenant)s",
                *([] if before is None else ["(occurred_at, seq) < (%(occurred_at)s, %(seq)s)"]),
                *(conditions[name] for name in conditions if name in served and name != self._lead),
            ]
        )
        look = max(200, min(LOOK, _BENEATH_LOOK // len(accounts))) if lead == "beneath" else LOOK
        self.values = which.values(accounts) | {"tenant": tenant, "limit": limit}
        self.values |= {"look": max(limit, look) if self.rest else limit}  # how many keys to look at
        self.values |= {} if before is None else before._asdict()

    def page(self) -> str:
        """Return the statement that reads the page's events."""
        rest = " and ".join(self.rest) or "true"
        if self._lead is None:
            looked = f"select {BARE} from activity.event where {self._within} {_NEWEST} limit %(look)s"
            return f"select {COLUMNS} from ({looked}) looked_at where {rest} limit %(limit)s"
        return f"""
            select {COLUMNS} from ({self._keys} limit %(look)s) key (at, n) cross join lateral (
              select {BARE} from activity.event where tenant_id = %(tenant)s and seq = key.n) e
             where {rest} {_NEWEST} limit %(limit)s"""

    def counts(self) -> str:
        """Return the statement that counts, by type, what is looked at and what of it passes."""
        rest = " and ".join(self.rest) or "true"
        looked = f"select {BARE} from activity.event where {self._within} {_NEWEST} limit %(look)s"
        if self._lead is not None:
            looked = f"""
                select e.* from ({self._keys} limit %(look)s) key (at, n) cross join lateral (
                  select {BARE} from activity.event where tenant_id = %(tenant)s and seq = key.n) e"""
        return f"""
            select type, count(*), count(*) filter (where {rest}) from ({looked}) looked_at group by type"""

    def end(self) -> str:
        """Return the statement that finds the last key looked at; it finds nothing when there were fewer."""
        return f"""
            select occurred_at, seq
              from ({self._keys} offset %(look)s - 1 limit 1) key (occurred_at, seq)"""

    @property
    def _keys(self) -> str:
        return _MERGED.get(self._lead or "", _KEYS).format(within=self._within, newest=_NEWEST)
