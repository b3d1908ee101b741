"""The outbox: what producers said in their own transactions, until it is moved into the log."""

from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import text
from sqlalchemy.orm import Session

from db.engine import driver, driver_errors


class Waiting(NamedTuple):
    """One said event that waits: its tenant and its document."""

    tenant_id: int
    doc: str


def put(session: Session, rows: Iterable[tuple[int, str]]) -> None:
    """Add (tenant, document) rows in the session's transaction: committed with it, or never said."""
    with (
        driver_errors(),
        driver(session).cursor() as cursor,
        cursor.copy("copy activity.outbox (tenant_id, doc) from stdin") as copy,
    ):
        for row in rows:
            copy.write_row(row)


def has_waiting(session: Session) -> bool:
    """Return whether any event waits: for the role writer."""
    return bool(session.execute(text("select exists (select from activity.outbox)")).scalar_one())


# Take a batch, fairly: from the waiting tenants in random order, at most an eighth of the batch from each
# while others wait. A tenant is claimed whole, by its head's row: while one append task has it no other takes
# from it, so its events keep their order; a head that is locked, by an erasure or by whoever, is passed over,
# and nobody else waits for it. The tenants that wait are found by a loose index scan, whose cost grows with
# the tenants, not with the rows; their heads are asked for one by one, as far as the batch needs.
TAKE = """
with recursive waiting (tenant_id) as (
  (select tenant_id from activity.outbox order by tenant_id limit 1)
  union all
  select (select o.tenant_id from activity.outbox o where o.tenant_id > w.tenant_id
      order by o.tenant_id limit 1)
    from waiting w where w.tenant_id is not null),
turns as materialized (select tenant_id from waiting where tenant_id is not null order by random()),
claimed as materialized (select tenant_id from turns where activity.claim(tenant_id))
delete from activity.outbox where ctid = any(array(
  select o.ctid from claimed c cross join lateral (
    select ctid from activity.outbox where tenant_id = c.tenant_id order by n
     limit case (select count(*) from turns) when 1 then %(limit)s else (%(limit)s + 7) / 8 end) o
   limit %(limit)s))
returning tenant_id, n, doc
"""


def claim(session: Session, limit: int) -> list[Waiting]:
    """Take up to `limit` waiting events, fairly, in the session's transaction.

    Rolled back, they are where they were.
    """
    with driver_errors():
        rows = driver(session).execute(
            f"with taken as ({TAKE}) select tenant_id, doc::text from taken order by tenant_id, n",
            {"limit": limit},
        )
        return [Waiting(*row) for row in rows]
