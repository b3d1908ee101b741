"""How many events there are, counted no further than needed, as the role reader."""

from collections.abc import Mapping
from typing import NamedTuple

from sqlalchemy import text
from sqlalchemy.orm import Session

from db.engine import driver, driver_errors
from db.log.reading.feed import FeedQuery
from db.log.reading.filter import HIERARCHY, LOOK, Filter, accounts_beneath
from db.records import records

# A loose index scan: one probe for each type, whatever the length of the log.
_TYPES = """
with recursive types (name) as (
  (select type from activity.event where tenant_id = :tenant order by type limit 1)
  union all
  select (select e.type from activity.event e
           where e.tenant_id = :tenant and e.type > t.name order by e.type limit 1)
    from types t where t.name is not null)
"""
_DISTINCT_TYPES = text(f"{_TYPES} select name from types where name is not null")
_BY_TYPE = text(f"""{_TYPES}
select t.name, (select count(*) from (
    select from activity.event where tenant_id = :tenant and type = t.name limit :cap) counted) as events
  from types t where t.name is not null""")


def distinct_types(session: Session, tenant: int) -> list[str]:
    """Return the types that a log holds."""
    return list(session.scalars(_DISTINCT_TYPES, {"tenant": tenant}))


def by_type(session: Session, tenant: int, cap: int = 10_000) -> Mapping[str, int]:
    """Return how many events there are of each type; counting ends at `cap` a type."""
    return {row.name: row.events for row in session.execute(_BY_TYPE, {"tenant": tenant, "cap": cap})}


class Tally(NamedTuple):
    """How many events of each type pass, and the types of which there may be more."""

    events: dict[str, int]
    bounded: frozenset[str] | None  # None: of all


def passing(session: Session, tenant: int, which: Filter, cap: int) -> Tally:
    """Return how many events pass a filter.

    With none, counting ends at `cap` a type; with one, the newest LOOK that an index leads to are looked at.
    """
    if which == Filter():
        found = by_type(session, tenant, cap)
        return Tally(dict(found), frozenset(name for name, number in found.items() if number >= cap))
    query = FeedQuery(tenant, which, accounts_beneath(session, tenant, which), None, LOOK)
    with driver_errors():
        rows = driver(session).execute(query.counts().encode(), query.values).fetchall()
    whole = sum(looked for _, looked, _ in rows) < query.values["look"]
    return Tally({name: n for name, _, n in rows if n}, frozenset() if whole else None)


_BENEATH = text("""
select count(*) from (
  select from unnest(cast(:accounts as text[])) as a (id) cross join lateral (
    select type from activity.event where tenant_id = :tenant and account_id = a.id
     order by occurred_at desc, seq desc limit :look) newest
   where a.id <> :account or type = any(:hierarchy) limit :cap) counted""")


def beneath(session: Session, tenant: int, account: str, cap: int, look: int = LOOK) -> int:
    """Return how many events the accounts beneath one have, with the changes of its own place among them.

    Of each account the newest `look` are counted; counting ends at `cap`.
    """
    accounts = [account, *records.beneath(session, tenant, account)]
    values = {"tenant": tenant, "account": account, "accounts": accounts, "hierarchy": HIERARCHY}
    return int(session.execute(_BENEATH, values | {"look": look, "cap": cap}).scalar_one())
