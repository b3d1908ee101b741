"""What the auditor reads: where every log stands, and whole chains, row after row, of any tenant."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from sqlalchemy import text
from sqlalchemy.orm import Session

from activity.proof.chain import Header, Link
from db.engine import begin, driver, driver_errors

_ROWS = 2000  # read at a time

# The columns of a Header. A moment that no clock shows was put there by hand: as 0 it breaks the chain.
HEADER = """account_id, actor, cause_id::text, contact_id, event_id::text,
       case when isfinite(occurred_at) then timestamptz_send(occurred_at)::bigint + 946684800000000
         else 0 end,
       encode(payload_sha256, 'hex'), record_id, record_type,
       case when isfinite(recorded_at) then timestamptz_send(recorded_at)::bigint + 946684800000000
         else 0 end,
       seq, source, tenant_id, type, 1, version"""
_CHAIN = f"""
select {HEADER}, convert_to(payload::text, 'UTF8'), salt, hash
  from activity.event where tenant_id = %s and seq > %s and seq <= %s order by seq
"""
# Whoever has a workspace, a head or an event: what was taken from one of them is found by the others.
_FOOTINGS = text("""
with recursive logged (tenant_id) as (
    select min(tenant_id) from activity.event
    union all select (select min(tenant_id) from activity.event where tenant_id > l.tenant_id)
      from logged l where l.tenant_id is not null),
  every (id) as (select id from crm.tenant union select tenant_id from activity.head
    union select tenant_id from logged where tenant_id is not null)
select e.id, t.id is not null, h.epoch::text, coalesce(h.seq, 0), h.hash,
       (select min(seq) from activity.event where tenant_id = e.id),
       (select max(seq) from activity.event where tenant_id = e.id)
  from every e left join crm.tenant t on t.id = e.id left join activity.head h on h.tenant_id = e.id
 where coalesce(e.id = :tenant, true) order by e.id
""")


class Footing(NamedTuple):
    """What three tables say of one log: its workspace is there, its head, its first and last event."""

    tenant_id: int
    has_workspace: bool
    epoch: str | None
    seq: int
    hash: bytes | None
    first: int | None
    last: int | None

    @property
    def end(self) -> int:
        """Return the number up to which the log is to be read: to the head, or all where it has none."""
        return self.seq if self.hash is not None else self.last or 0


@contextmanager
def snapshot() -> Iterator[Session]:
    """Open a transaction that sees one moment of all tables, whatever is appended or erased meanwhile."""
    with begin("auditor") as session:
        session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
        yield session


def footings(session: Session, tenant_id: int | None = None) -> list[Footing]:
    """Return where every log stands, or the one of a tenant if there is anything of it."""
    return [Footing(*row) for row in session.execute(_FOOTINGS, {"tenant": tenant_id})]


def links(session: Session, tenant_id: int, after: int, last: int) -> Iterator[Link]:
    """Yield a tenant's events from `after` on to `last`: memory does not grow with the log."""
    with driver_errors(), driver(session).cursor("links", binary=True) as rows:
        rows.execute(_CHAIN, (tenant_id, after, last))
        while found := rows.fetchmany(_ROWS):
            for row in found:
                yield Link(Header(*row[:16]), *row[16:])


def tenants(session: Session) -> list[int]:
    """Return every tenant that has a log."""
    return list(session.scalars(text("select tenant_id from activity.head order by tenant_id")))
