"""The queue of enrichment passes: requests for them, claims, and how they ended."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from db import claim as queue
from db.claim import Claimed, Queue
from db.records.values import EnrichedKind
from db.rows import as_rows


@dataclass(frozen=True)
class ClaimedPass(Claimed):
    """A pass as its worker claims it."""

    kind: EnrichedKind
    record_id: str
    fields: list[str]
    priority: int
    requested_by: str
    cause_id: UUID | None
    event_id: UUID


PASSES = Queue("crm.enrichment_pass", ClaimedPass, lease=timedelta(seconds=120), priorities=(0, 3, 6, 9))
_URGENT = Queue(PASSES.table, ClaimedPass, lease=PASSES.lease, priorities=(0,))

_ASK = text("""
insert into crm.enrichment_pass as p (tenant_id, kind, record_id, fields, priority, requested_by, cause_id)
select :tenant, :kind, record_id, :fields, :priority, :by, :cause
  from unnest(cast(:records as text[])) as r(record_id) order by record_id
    on conflict (tenant_id, kind, record_id, fields) where due_at is not null
    do update set priority = least(p.priority, excluded.priority)
returning record_id, id""")


def ask(
    session: Session,
    tenant: int,
    kind: str,
    records: Sequence[str],
    fields: Sequence[str],
    *,
    priority: int,
    by: str,
    cause: UUID | None,
) -> dict[str, int]:
    """Queue one pass a record, or join the one in flight over the same fields; return their ids by record.

    A pass that is joined gets the more urgent priority of the two.
    """
    values = {"tenant": tenant, "kind": kind, "records": sorted(set(records)), "fields": sorted(set(fields))}
    rows = session.execute(_ASK, {**values, "priority": priority, "by": by, "cause": cause})
    return {row.record_id: row.id for row in rows}


class PassState(NamedTuple):
    """A pass as whoever requested it sees it; `state` is waiting, completed or failed."""

    id: int
    state: str
    event_id: UUID
    fields: list[str]


def get_pass(session: Session, tenant: int, pass_id: int) -> PassState | None:
    """Return a pass, or None."""
    query = text("""
        select id, state, event_id, fields from crm.enrichment_pass
         where tenant_id = :tenant and id = :id""")
    row = session.execute(query, {"tenant": tenant, "id": pass_id}).one_or_none()
    return None if row is None else PassState._make(row)


def claim(session: Session, limit: int, *, urgent: bool = False) -> list[ClaimedPass]:
    """Claim due passes, the most urgent first; with `urgent` only those that a user waits for."""
    return queue.claim(session, _URGENT if urgent else PASSES, limit)


_HOLD = text("""
select p.id
  from crm.enrichment_pass p
  join json_to_recordset(cast(:rows as json)) as h(id bigint, fence integer) on h.id = p.id
 where p.fence = h.fence and p.due_at is not null order by p.id for no key update of p""")


def hold(session: Session, held: Iterable[ClaimedPass]) -> set[int]:
    """Return the ids of passes that are still their holders', and lock them until the transaction ends.

    It checks the fences of many passes at once.
    """
    rows = as_rows({"id": row.id, "fence": row.fence} for row in held)
    return set(session.scalars(_HOLD, {"rows": rows}))


_END = text("""
update crm.enrichment_pass p set due_at = null, state = r.state, ended_at = clock_timestamp()
  from json_to_recordset(cast(:rows as json)) as r(id bigint, state text) where p.id = r.id""")


def end(session: Session, states: Mapping[int, str]) -> None:
    """End passes that this transaction holds, each as 'completed' or 'failed'."""
    session.execute(_END, {"rows": as_rows({"id": id_, "state": state} for id_, state in states.items())})


def put_off(session: Session, ids: Sequence[int], seconds: float) -> None:
    """Make passes that this transaction holds due again in so many seconds."""
    statement = text("""
        update crm.enrichment_pass set due_at = clock_timestamp() + make_interval(secs => :seconds)
         where id = any(:ids)""")
    session.execute(statement, {"seconds": seconds, "ids": list(ids)})


_STALE = text("""
select l.tenant_id, l.record_id from crm.enrichment_latest l
 where l.kind = :kind and l.ended_at < clock_timestamp() - make_interval(secs => :seconds)
   and not exists (select from crm.enrichment_pass p
                    where p.tenant_id = l.tenant_id and p.kind = l.kind and p.record_id = l.record_id
                      and p.due_at is not null)
 order by l.ended_at limit :limit""")


def stale(session: Session, kind: str, older_than: timedelta, limit: int) -> dict[int, list[str]]:
    """Return records, by tenant, whose last pass is older than that and that no pass is in flight for.

    They are at most `limit`, those with the oldest pass first.
    """
    found: dict[int, list[str]] = {}
    values = {"kind": kind, "seconds": older_than.total_seconds(), "limit": limit}
    for tenant, record in session.execute(_STALE, values):
        found.setdefault(tenant, []).append(record)
    return found


def forget(session: Session, tenant: int, kind: str, ids: Sequence[str]) -> None:
    """Forget when records that no longer exist were last enriched."""
    statement = text("""
        delete from crm.enrichment_latest
         where tenant_id = :tenant and kind = :kind and record_id = any(:ids)""")
    session.execute(statement, {"tenant": tenant, "kind": kind, "ids": list(ids)})


_PURGE_CACHE = text("""
delete from crm.enrichment_cache
 where (tenant_id, provider, key) in (select tenant_id, provider, key from crm.enrichment_cache
                                       where expires_at < clock_timestamp() limit :limit)""")
_PURGE = text("""
delete from crm.enrichment_pass
 where id in (select id from crm.enrichment_pass
               where ended_at < clock_timestamp() - make_interval(secs => :seconds)
               order by ended_at limit :limit)
returning id""")


def purge(session: Session, older_than: timedelta, limit: int = 5000) -> int:
    """Delete passes that ended longer ago than that, with their calls, and cached answers that have expired.

    Return how many passes are deleted, at most `limit`.
    """
    session.execute(_PURGE_CACHE, {"limit": limit})
    gone = session.scalars(_PURGE, {"seconds": older_than.total_seconds(), "limit": limit}).all()
    session.execute(text("delete from crm.enrichment_call where pass_id = any(:ids)"), {"ids": list(gone)})
    return len(gone)
