"""Reads of the log, as the role reader in a transaction that names the tenant.

Two orders, never mixed up: `after` goes by seq, `look` by when things happened, the newest first. What each costs depends on the page, not
on the length of the log.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from psycopg.rows import args_row
from sqlalchemy import text
from sqlalchemy.orm import Session

from activity.catalogue import CATALOGUE, Category
from activity.event import RecordedEvent
from db.engine import driver, driver_errors
from db.records import records

LOOK = 5000  # rows read for a filter that has no index, before a page comes short
_BENEATH_LOOK = 100_000  # keys read for all accounts beneath one, together
HIERARCHY = [name for name, known in CATALOGUE.items() if known.category is Category.HIERARCHY]


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """Which events a page shows: those that pass all that is given.

    `types` is any of these. `beneath` is the events of the accounts beneath this one, and the changes of its own place among them.
    `since` is included, `until` is not. `as_of` is the log as it stood when its last event had this number.
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


class Key(NamedTuple):
    """The place of an event in the feed."""

    occurred_at: datetime
    seq: int


class Looked(NamedTuple):
    """The events found, the newest first, and the key down to which all that pass were found; None where there are no more."""

    events: list[RecordedEvent]
    reached: Key | None


BARE = (
    "tenant_id, seq, event_id, type, version, occurred_at, recorded_at, actor, source, "
    "account_id, contact_id, record_type, record_id, cause_id, payload"
)
_COLUMNS = f"{BARE}::text"
_COLUMN_OF = {"contact": "contact_id", "account": "account_id", "actor": "actor", "source": "source"} | {
    name: name for name in ("record_type", "record_id")
}
_NEWEST = "order by occurred_at desc, seq desc"


def after(session: Session, tenant: int, seq: int, limit: int) -> list[RecordedEvent]:
    """Return the events that follow number `seq`, in the order of their numbers."""
    return _read(
        session,
        "tenant_id = %(tenant)s and seq > %(seq)s order by seq limit %(limit)s",
        tenant=tenant,
        seq=seq,
        limit=limit,
    )


def get(session: Session, tenant: int, ref: int | UUID) -> RecordedEvent | None:
    """Return the event with this number or this event_id, or None."""
    which = "seq = %(ref)s" if isinstance(ref, int) else "event_id = %(ref)s"
    return next(iter(_read(session, f"tenant_id = %(tenant)s and {which}", tenant=tenant, ref=ref)), None)


def look(session: Session, tenant: int, which: Filter, before: Key | None, limit: int) -> Looked:
    """Return the newest events that pass the filter and are older than `before`, `limit` of them at the most.

    A filter that no index serves is tried on a bounded number of events: fewer than `limit` may be found though there are more. Go on
    from `reached`, unless that is None.
    """
    query = Query(session, tenant, which, before, limit)
    found = fetch(session, query.page(), query.values)
    if len(found) == limit:
        return Looked(found, Key(found[-1].occurred_at, found[-1].seq))
    if not query.rest:
        return Looked(found, None)
    with driver_errors():
        end = driver(session).execute(query.end(), query.values).fetchone()
    # The two statements see two moments: never go on from a newer key than that of an event already found.
    keys = (
        [Key(_utc(end[0]), end[1]), *(Key(event.occurred_at, event.seq) for event in found[-1:])]
        if end
        else []
    )
    return Looked(found, min(keys, default=None))


class Query:
    """One page's statements. An index leads to the newest keys; what the index does not know is the rest, tried row by row."""

    def __init__(self, session: Session, tenant: int, which: Filter, before: Key | None, limit: int) -> None:
        self.values: dict[str, Any] = {"tenant": tenant, "limit": limit}
        self.within = ["tenant_id = %(tenant)s"]
        self.rest: list[str] = []
        self.look = LOOK
        self._bound(which, before)
        self._lead(session, tenant, which)
        self.values["look"] = max(limit, self.look) if self.rest else limit  # how many keys to look at

    def _bound(self, which: Filter, before: Key | None) -> None:
        if before is not None:
            self.within.append("(occurred_at, seq) < (%(occurred_at)s, %(seq)s)")
            self.values |= before._asdict()
        for name, condition in (("since", "occurred_at >= %(since)s"), ("until", "occurred_at < %(until)s")):
            if (value := getattr(which, name)) is not None:
                self.within.append(condition)
                self.values[name] = value
        if which.as_of is not None:
            self.rest.append("seq <= %(as_of)s")
            self.values["as_of"] = which.as_of

    def _lead(self, session: Session, tenant: int, which: Filter) -> None:
        """Choose the index: the one that leads to the fewest rows of those the filter names."""
        lead = next(
            (name for name in ("contact", "account", "beneath", "types") if getattr(which, name)), None
        )
        for name, column in _COLUMN_OF.items():
            if (value := getattr(which, name)) is not None:
                (self.within if name == lead else self.rest).append(f"{column} = %({name})s")
                self.values[name] = value
        if which.beneath is not None:
            accounts = [*records.beneath(session, tenant, which.beneath), which.beneath]
            self.values |= {"beneath": which.beneath, "accounts": accounts, "hierarchy": HIERARCHY}
            self.rest.append(
                "account_id = any(%(accounts)s) and (account_id <> %(beneath)s or type = any(%(hierarchy)s))"
            )
        if which.types:
            self.values["types"] = sorted(set(which.types))
            if lead != "types":
                self.rest.append("type = any(%(types)s)")
        self.keys, many = {"beneath": (_BENEATH_KEYS, "accounts"), "types": (_TYPE_KEYS, "types")}.get(
            lead or "", (_KEYS, None)
        )
        self.merged = many is not None
        if lead == "beneath":
            self.look = max(200, min(LOOK, _BENEATH_LOOK // len(self.values["accounts"])))

    def page(self) -> str:
        """The statement that reads the page's events."""
        rest = " and ".join(self.rest) or "true"
        if not self.merged:
            looked = f"select {BARE} from activity.event where {self._within} {_NEWEST} limit %(look)s"
            return f"select {_COLUMNS} from ({looked}) looked_at where {rest} limit %(limit)s"
        row = f"select {BARE} from activity.event where tenant_id = %(tenant)s and seq = key.n"
        keys = f"({self._keys} limit %(look)s) key (at, n)"
        return f"select {_COLUMNS} from {keys} cross join lateral ({row}) e where {rest} {_NEWEST} limit %(limit)s"

    def end(self) -> str:
        """The statement that finds the last key of those that were looked at, or nothing when there were fewer."""
        return (
            f"select occurred_at, seq from ({self._keys} offset %(look)s - 1 limit 1) key (occurred_at, seq)"
        )

    @property
    def _within(self) -> str:
        return " and ".join(self.within)

    @property
    def _keys(self) -> str:
        return self.keys.format(within=self._within, newest=_NEWEST)


# The newest keys by one index, by one probe for each type, or by one for each account. Each is made to be followed by a limit.
_KEYS = "select occurred_at, seq from activity.event where {within} {newest}"
_TYPE_KEYS = """
select x.occurred_at, x.seq from unnest(%(types)s::text[]) as t (name) cross join lateral (
  select occurred_at, seq from activity.event where {within} and type = t.name {newest} limit %(look)s) x
 order by x.occurred_at desc, x.seq desc"""
# First the newest event of each account: it says which accounts can contribute at all.
_BENEATH_KEYS = """
with heads as materialized (
  select t.name, x.occurred_at, x.seq from unnest(%(accounts)s::text[]) as t (name) cross join lateral (
    select occurred_at, seq from activity.event where {within} and account_id = t.name {newest} limit 1) x
   order by x.occurred_at desc, x.seq desc limit %(look)s)
select x.occurred_at, x.seq from heads cross join lateral (
  select occurred_at, seq from activity.event where {within} and account_id = heads.name {newest} limit %(look)s) x
 order by x.occurred_at desc, x.seq desc"""

_UP = """
with recursive up (seq, cause_id, depth) as (
  select seq, cause_id, 0 from activity.event where tenant_id = %(tenant)s and event_id = %(event_id)s
  union
  select e.seq, e.cause_id, up.depth + 1 from up cross join lateral (
    select seq, cause_id from activity.event where tenant_id = %(tenant)s and event_id = up.cause_id limit 1) e where up.depth < %(depth)s)
select seq, min(depth) as depth from up where depth > 0 group by seq"""
_DOWN = """
with recursive down (event_id, seq, depth) as (
  select event_id, seq, 0 from activity.event where tenant_id = %(tenant)s and event_id = %(event_id)s
  union
  select e.event_id, e.seq, down.depth + 1 from down cross join lateral (
    select event_id, seq from activity.event where tenant_id = %(tenant)s and cause_id = down.event_id order by seq limit %(limit)s) e
   where down.depth < %(depth)s)
select seq, min(depth) as depth from (select seq, depth from down where depth > 0 limit %(limit)s) d group by seq"""


def causes(session: Session, tenant: int, event_id: UUID, depth: int = 20) -> list[RecordedEvent]:
    """Return what made this event happen, and what made that happen, the nearest first."""
    return _chained(session, _UP, tenant=tenant, event_id=event_id, depth=depth)


def effects(
    session: Session, tenant: int, event_id: UUID, depth: int = 20, limit: int = 200
) -> list[RecordedEvent]:
    """Return what this event made happen, and what that made happen, the nearest first; `limit` events at the most."""
    return _chained(session, _DOWN, tenant=tenant, event_id=event_id, depth=depth, limit=limit)


def _chained(session: Session, keys: str, **values: Any) -> list[RecordedEvent]:
    row = f"select {BARE} from activity.event where tenant_id = %(tenant)s and seq = k.key"
    return fetch(
        session,
        f"select {_COLUMNS} from ({keys}) k (key, depth) cross join lateral ({row}) e order by k.depth, seq",
        values,
    )


_COUNTS = text("""
with recursive types (name) as (
  (select type from activity.event where tenant_id = :tenant order by type limit 1)
  union all
  select (select e.type from activity.event e where e.tenant_id = :tenant and e.type > t.name order by e.type limit 1)
    from types t where t.name is not null)
select t.name, (select count(*) from (select from activity.event where tenant_id = :tenant and type = t.name limit :cap) counted) as events
  from types t where t.name is not null""")


def counts(session: Session, tenant: int, cap: int = 10_000) -> Mapping[str, int]:
    """Return how many events there are of each type; counting ends at `cap` a type."""
    return {row.name: row.events for row in session.execute(_COUNTS, {"tenant": tenant, "cap": cap})}


# recorded_at never runs backwards, so the number is found by halving: one probe of the key a step.
_SEQ_AT = text("""
with recursive search (low, high) as (
  select cast(0 as bigint), seq from activity.head where tenant_id = :tenant
  union all
  select case when e.recorded_at <= :moment then e.seq else low end, case when e.recorded_at <= :moment then high else e.seq - 1 end
    from search cross join lateral (
      select seq, recorded_at from activity.event where tenant_id = :tenant and seq = (low + high + 1) / 2) e where low < high)
select low from search where low >= high""")


def seq_at(session: Session, tenant: int, moment: datetime) -> int:
    """Return the number of the last event that was recorded at `moment` or before; 0 when there was none."""
    return int(session.execute(_SEQ_AT, {"tenant": tenant, "moment": moment}).scalar_one())


def _read(session: Session, where: str, **values: Any) -> list[RecordedEvent]:
    return fetch(session, f"select {_COLUMNS} from activity.event where {where}", values)


def fetch(session: Session, statement: str, values: Mapping[str, Any]) -> list[RecordedEvent]:
    """Return the events of a statement that reads the columns of BARE, the payload as text: by the driver, in a quarter of the time."""
    with driver_errors(), driver(session).cursor(row_factory=args_row(_recorded)) as cursor:
        return cursor.execute(statement.encode(), values).fetchall()


def _recorded(
    tenant_id: int,
    seq: int,
    event_id: UUID,
    type: str,
    version: int,
    occurred_at: datetime,
    recorded_at: datetime,
    actor: str,
    source: str,
    account_id: str | None,
    contact_id: str | None,
    record_type: str | None,
    record_id: str | None,
    cause_id: UUID | None,
    payload: str | None,
) -> RecordedEvent:
    return RecordedEvent(
        tenant_id=tenant_id,
        seq=seq,
        event_id=event_id,
        type=type,
        version=version,
        occurred_at=_utc(occurred_at),
        recorded_at=_utc(recorded_at),
        actor=actor,
        source=source,
        account_id=account_id,
        contact_id=contact_id,
        record_type=record_type,
        record_id=record_id,
        cause_id=cause_id,
        payload=msgspec.Raw(b"null" if payload is None else payload.encode()),
    )


def _utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo is UTC else moment.astimezone(UTC)
