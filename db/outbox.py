"""The outbox: what producers said in their own transactions, until the append task has moved it into the log."""

from collections.abc import Iterable
from typing import NamedTuple

import psycopg
from sqlalchemy import text
from sqlalchemy.orm import Session


class Waiting(NamedTuple):
    """One said event that waits: its tenant and its document."""

    tenant_id: int
    doc: str


def _driver(session: Session) -> psycopg.Connection:
    """Return the driver's connection in the session's transaction: rows by the thousand pass faster without SQLAlchemy's wrapping."""
    driver = session.connection().connection.driver_connection
    assert isinstance(driver, psycopg.Connection)
    return driver


def put(session: Session, rows: Iterable[tuple[int, str]]) -> None:
    """Add (tenant, document) rows in the session's transaction: committed with it, or never said."""
    with _driver(session).cursor() as cursor, cursor.copy("copy activity.outbox (tenant_id, doc) from stdin") as copy:
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

_TAKE = """
delete from activity.outbox where ctid = any(array(
  select o.ctid from unnest(%s::int[]) as t(tenant_id)
   cross join lateral (select ctid from activity.outbox where tenant_id = t.tenant_id order by n limit %s) o))
returning tenant_id, n, doc
"""


def claim(session: Session, limit: int) -> list[Waiting]:
    """Take up to `limit` waiting events out of the outbox, at most a fair share of each tenant, in the order they were said.

    A tenant is claimed whole: while one append task holds it no other takes from it, so its events keep their order and nobody waits.
    Rolled back, the events are where they were.
    """
    tenants = list(session.scalars(_LOCK_TENANTS))
    if not tenants:
        return []
    rows = _driver(session).execute(_TAKE, (tenants, max(1, limit // len(tenants)))).fetchall()
    return [Waiting(tenant_id, doc) for tenant_id, _, doc in sorted(rows)]
