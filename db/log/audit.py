"""What the auditor reads: whole chains, row after row, of any tenant."""

from collections.abc import Iterator

from sqlalchemy import text
from sqlalchemy.orm import Session

from activity.chain import Link

_CHAIN = text("""
select tenant_id, seq, event_id, type, version, occurred_at, recorded_at, actor, source, account_id,
    contact_id, record_type, record_id,
       cause_id, payload::text, salt, payload_sha256, hash
  from activity.event where tenant_id = :tenant and seq > :after order by seq
""")


def chain(session: Session, tenant_id: int, after: int = 0) -> Iterator[Link]:
    """Yield a tenant's events in order, read as a stream: memory does not grow with the log."""
    rows = session.execute(
        _CHAIN, {"tenant": tenant_id, "after": after}, execution_options={"yield_per": 2000}
    )
    for partition in rows.partitions():
        yield from (Link(*row) for row in partition)


def head(session: Session, tenant_id: int) -> tuple[int, bytes]:
    """Return the number and the hash that a tenant's head claims.

    Raises NoResultFound for an unknown tenant.
    """
    row = session.execute(
        text("select seq, hash from activity.head where tenant_id = :tenant"), {"tenant": tenant_id}
    ).one()
    return row.seq, row.hash


def tenants(session: Session) -> list[int]:
    """Return every tenant that has a log."""
    return list(session.scalars(text("select tenant_id from activity.head order by tenant_id")))
