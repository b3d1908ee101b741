"""Which reports were seen before, and how many were of kinds that are not known.

Every function is for a transaction that names the tenant it is given.
"""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session


def unseen(session: Session, tenant: int, ids: Collection[UUID]) -> set[UUID]:
    """Mark reports as seen, and return those that were not seen before.

    A transaction that sees the same report waits for the end of this one.
    """
    statement = text("""
        insert into crm.mail_seen (tenant_id, event_id)
        select :tenant, id from unnest(cast(:ids as uuid[])) id order by id
        on conflict do nothing returning event_id""")
    return set(session.scalars(statement, {"tenant": tenant, "ids": sorted(ids)}))


def count_unknown(session: Session, tenant: int, source_id: int, kind: str, number: int) -> None:
    """Count reports of a kind that is not known."""
    statement = text("""
        insert into crm.mail_unknown as u (tenant_id, source_id, kind, count)
        values (:tenant, :source, :kind, :number)
        on conflict (source_id, kind) do update
          set count = u.count + excluded.count, last_at = clock_timestamp()""")
    kind = kind[:200].replace("\x00", "")
    session.execute(statement, {"tenant": tenant, "source": source_id, "kind": kind, "number": number})


def unknown_kinds(session: Session, tenant: int) -> list[tuple[str, str, int]]:
    """Return (source, kind, how many) of the reports whose kinds are not known."""
    statement = text("""
        select s.public_id, u.kind, u.count
          from crm.mail_unknown u join crm.mail_source s on s.id = u.source_id
         where u.tenant_id = :tenant order by 1, 2""")
    return [(row[0], row[1], row[2]) for row in session.execute(statement, {"tenant": tenant})]
