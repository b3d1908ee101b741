"""Reads of the log beside the feed's pages: in the order of numbers, upwards from a place in the feed, and what is shown beside events."""

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from activity.event import RecordedEvent
from db.engine import driver, driver_errors
from db.log.events import BARE, HIERARCHY, LOOK, Filter, Key, fetch
from db.records import records

_PLAIN = {
    "account": "account_id",
    "contact": "contact_id",
    "actor": "actor",
    "source": "source",
    "record_type": "record_type",
    "record_id": "record_id",
}


class Read(NamedTuple):
    """The events found, and the number that was reached: all that pass up to there were found. None: up to the end."""

    events: list[RecordedEvent]
    reached: int | None


def before(session: Session, tenant: int, which: Filter, seq: int | None, limit: int) -> Read:
    """Return the events before number `seq` (None: the newest) that pass, the highest first; LOOK are tried at the most."""
    return _read(session, tenant, which, "seq < %(seq)s" if seq is not None else "true", "desc", seq, limit)


def after(session: Session, tenant: int, which: Filter, seq: int, limit: int) -> Read:
    """Return the events after number `seq` that pass, the lowest first; LOOK are tried at the most."""
    return _read(session, tenant, which, "seq > %(seq)s", "asc", seq, limit)


def _read(
    session: Session, tenant: int, which: Filter, within: str, direction: str, seq: int | None, limit: int
) -> Read:
    passing, values = conditions(session, tenant, which)
    look = LOOK if passing != "true" else limit
    values |= {"tenant": tenant, "seq": seq, "look": look, "limit": limit}
    log = f"from activity.event where tenant_id = %(tenant)s and {within} order by seq {direction}"
    query = f"""
        select {BARE}::text from (select {BARE} {log} limit %(look)s) looked_at
         where {passing} order by seq {direction} limit %(limit)s"""
    found = fetch(session, query, values)
    if len(found) == limit:
        return Read(found, found[-1].seq)
    if passing == "true":
        return Read(found, None)
    with driver_errors():
        end = (
            driver(session)
            .execute(f"select seq {log} offset %(look)s - 1 limit 1".encode(), values)
            .fetchone()
        )
    return Read(found, end[0] if end else None)


def newer(session: Session, tenant: int, which: Filter, key: Key, limit: int) -> list[RecordedEvent]:
    """Return the events just above a place in the feed that pass, the newest first; of LOOK events at the most."""
    passing, values = conditions(session, tenant, which)
    lead = "".join(
        f" and {column} = %({name})s"
        for name, column in (("account", "account_id"), ("contact", "contact_id"))
        if getattr(which, name)
    )
    query = f"""
        select {BARE}::text from (
          select {BARE} from activity.event where tenant_id = %(tenant)s{lead} and (occurred_at, seq) > (%(occurred_at)s, %(place)s)
           order by occurred_at, seq limit %(look)s) above
         where {passing} order by occurred_at, seq limit %(limit)s"""
    place = {"tenant": tenant, "occurred_at": key.occurred_at, "place": key.seq, "look": LOOK, "limit": limit}
    return fetch(session, query, values | place)[::-1]


def conditions(session: Session, tenant: int, which: Filter) -> tuple[str, dict[str, Any]]:
    """Return a filter as a condition on rows, with its values."""
    said: list[str] = []
    values: dict[str, Any] = {}
    for name, column in _PLAIN.items():
        if (value := getattr(which, name)) is not None:
            said.append(f"{column} = %({name})s")
            values[name] = value
    if which.types:
        said.append("type = any(%(types)s)")
        values["types"] = list(which.types)
    for name, condition in (
        ("since", "occurred_at >= %(since)s"),
        ("until", "occurred_at < %(until)s"),
        ("as_of", "seq <= %(as_of)s"),
    ):
        if (value := getattr(which, name)) is not None:
            said.append(condition)
            values[name] = value
    if which.beneath is not None:
        said.append(
            "(account_id = any(%(accounts)s) or (account_id = %(beneath)s and type = any(%(hierarchy)s)))"
        )
        values |= {
            "beneath": which.beneath,
            "accounts": records.beneath(session, tenant, which.beneath),
            "hierarchy": HIERARCHY,
        }
    return " and ".join(said) or "true", values


def chain_hash(session: Session, tenant: int, seq: int) -> bytes:
    """Return the hash of an event in its chain."""
    found = session.execute(
        text("select hash from activity.event where tenant_id = :tenant and seq = :seq"),
        {"tenant": tenant, "seq": seq},
    )
    return bytes(found.scalar_one())


def names(
    session: Session, tenant: int, kind: type[records.Record], ids: Collection[str]
) -> Mapping[str, str]:
    """Return the names that accounts or contacts have now, by id."""
    if not ids:
        return {}
    table = "crm.account" if kind is records.Account else "crm.contact"
    rows = session.execute(
        text(f"select id, name from {table} where tenant_id = :tenant and id = any(:ids)"),
        {"tenant": tenant, "ids": list(ids)},
    )
    return {row.id: row.name for row in rows}


_TYPES = text("""
with recursive types (name) as (
  (select type from activity.event where tenant_id = :tenant order by type limit 1)
  union all
  select (select e.type from activity.event e where e.tenant_id = :tenant and e.type > t.name order by e.type limit 1)
    from types t where t.name is not null)
select name from types where name is not null""")


def types_said(session: Session, tenant: int) -> list[str]:
    """Return the types that a log holds, by a loose index scan."""
    return list(session.scalars(_TYPES, {"tenant": tenant}))


_COUNT_ACCOUNT = text("""
select type, count(*) as events from (
  select type from activity.event where tenant_id = :tenant and account_id = :account
   order by occurred_at desc, seq desc limit :look) newest
 group by type""")


def counts_of_account(session: Session, tenant: int, account: str, look: int = LOOK) -> Mapping[str, int]:
    """Return how many events of each type an account has among its newest `look`."""
    rows = session.execute(_COUNT_ACCOUNT, {"tenant": tenant, "account": account, "look": look})
    return {row.type: row.events for row in rows}


_COUNT_BENEATH = text("""
select count(*) from (
  select from unnest(cast(:accounts as text[])) as a (id) cross join lateral (
    select type from activity.event where tenant_id = :tenant and account_id = a.id
     order by occurred_at desc, seq desc limit :look) newest
   where a.id <> :account or type = any(:hierarchy) limit :cap) counted""")


def count_beneath(session: Session, tenant: int, account: str, cap: int, look: int = LOOK) -> int:
    """Return how many events the accounts beneath one have, and changes of its own place among them; counting ends at `cap`."""
    accounts = [account, *records.beneath(session, tenant, account)]
    values = {
        "tenant": tenant,
        "account": account,
        "accounts": accounts,
        "hierarchy": HIERARCHY,
        "look": look,
        "cap": cap,
    }
    return int(session.execute(_COUNT_BENEATH, values).scalar_one())


class Stored(NamedTuple):
    """What the log holds under an id."""

    seq: int
    type: str
    payload: bytes | None  # RFC 8785 text; None after erasure


_STORED = text("""
select e.event_id, e.seq, e.type, e.payload::text as payload from unnest(cast(:ids as uuid[])) as i (id) cross join lateral (
  select event_id, seq, type, payload from activity.event where event_id = i.id and (tenant_id = :tenant) is true limit 1) e""")


def stored(session: Session, tenant: int, ids: Collection[UUID]) -> dict[UUID, Stored]:
    """Return what the log holds under these ids, one probe each."""
    rows = session.execute(_STORED, {"tenant": tenant, "ids": list(ids)})
    return {
        row.event_id: Stored(row.seq, row.type, None if row.payload is None else row.payload.encode())
        for row in rows
    }
