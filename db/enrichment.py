"""The queue of enrichment passes: asking for them, claiming them, and what became of them."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from db.claim import Queue

PASSES = Queue("crm.enrichment_pass", lease=timedelta(seconds=120), priorities=(0, 3, 6, 9))

_ASK = text("""
insert into crm.enrichment_pass as p (tenant_id, kind, record_id, fields, priority, requested_by, cause_id)
select :tenant, :kind, record_id, :fields, :priority, :by, :cause from unnest(cast(:records as text[])) as r(record_id) order by record_id
    on conflict (tenant_id, kind, record_id, fields) where due_at is not null do update set priority = least(p.priority, excluded.priority)
returning record_id, id""")


def ask(
    session: Session, tenant: int, kind: str, records: Sequence[str], fields: Sequence[str], *, priority: int, by: str, cause: Any
) -> dict[str, int]:
    """Queue one pass a record, or join the one in flight over the same fields, at the more urgent of the two priorities; return their ids."""
    values = {"tenant": tenant, "kind": kind, "records": sorted(set(records)), "fields": sorted(set(fields))}
    rows = session.execute(_ASK, {**values, "priority": priority, "by": by, "cause": cause})
    return {row.record_id: row.id for row in rows}


_EXISTING = {kind: text(f"select id from crm.{kind} where tenant_id = :tenant and id = any(:ids)") for kind in ("account", "contact")}  # noqa: S608  # constants


def existing(session: Session, tenant: int, kind: str, ids: Sequence[str]) -> set[str]:
    """Return those of the ids that are records of this kind."""
    return set(session.scalars(_EXISTING[kind], {"tenant": tenant, "ids": list(ids)}))


def get_pass(session: Session, tenant: int, pass_id: int) -> Row[Any] | None:
    """Return a pass, or None."""
    return session.execute(
        text("select * from crm.enrichment_pass where tenant_id = :tenant and id = :id"), {"tenant": tenant, "id": pass_id}
    ).one_or_none()
