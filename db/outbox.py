"""The outbox: what producers said in their own transactions, until the append task has moved it into the log."""

from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import text
from sqlalchemy.orm import Session


class Waiting(NamedTuple):
    """One said event that waits: its tenant and its document."""

    tenant_id: int
    doc: str


def put(session: Session, rows: Iterable[tuple[int, str]]) -> None:
    """Add (tenant, document) rows in the session's transaction: committed with it, or never said."""
    driver = session.connection().connection.driver_connection
    assert driver is not None
    with driver.cursor() as cursor, cursor.copy("copy activity.outbox (tenant_id, doc) from stdin") as copy:
        for row in rows:
            copy.write_row(row)


# The tenants that have something waiting, by a loose index scan: its cost grows with the tenants, not with the rows.
_LOCK_TENANTS = text("""
with recursive waiting (tenant_id) as (
  (select tenant_id from activity.outbox order by tenant_id limit 1)
  union all
  select (select o.tenant_id from activity.outbox o where o.tenant_id > w.tenant_id order by o.tenant_id limit 1)
    from waiting w where w.tenant_id is not null)
select tenant_id from waiting where tenant_id is not null and pg_try_advisory_xact_lock(1633907817, tenant_id)
""")

_TAKE = text("""
delete from activity.outbox
 where (tenant_id, n) in (
   select o.tenant_id, o.n from unnest(cast(:tenants as int[])) as t(tenant_id)
    cross join lateral (select tenant_id, n from activity.outbox where tenant_id = t.tenant_id order by n limit :share) o)
returning tenant_id, doc, n
""")


def claim(session: Session, limit: int) -> list[Waiting]:
    """Take up to `limit` waiting events out of the outbox, at most a fair share of each tenant, in the order they were said.

    A tenant is claimed whole: while one append task holds it no other takes from it, so its events keep their order and nobody waits.
    Rolled back, the events are where they were.
    """
    tenants = list(session.scalars(_LOCK_TENANTS))
    if not tenants:
        return []
    rows = session.execute(_TAKE, {"tenants": tenants, "share": max(1, limit // len(tenants))}).all()
    return [Waiting(row.tenant_id, row.doc) for row in sorted(rows, key=lambda row: (row.tenant_id, row.n))]
