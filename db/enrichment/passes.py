"""The queue of enrichment passes: asking for them, claiming them, and what became of them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Row, TextClause, text
from sqlalchemy.orm import Session

from db import claim as queue
from db.claim import Claimed, Queue
from db.rows import as_rows


@dataclass(frozen=True)
class ClaimedPass(Claimed):
    """A pass as its worker claims it."""

    kind: Literal["account", "contact"]
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
select :tenant, :kind, record_id, :fields, :priority, :by, :cause from unnest(cast(:records as text[])) as r(record_id) order by record_id
    on conflict (tenant_id, kind, record_id, fields) where due_at is not null do update set priority = least(p.priority, excluded.priority)
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
    """Queue one pass a record, or join the one in flight over the same fields, at the more urgent priority; return their ids."""
    values = {"tenant": tenant, "kind": kind, "records": sorted(set(records)), "fields": sorted(set(fields))}
    rows = session.execute(_ASK, {**values, "priority": priority, "by": by, "cause": cause})
    return {row.record_id: row.id for row in rows}


def get_pass(session: Session, tenant: int, pass_id: int) -> Row[Any] | None:
    """Return a pass, or None."""
    query = text("select * from crm.enrichment_pass where tenant_id = :tenant and id = :id")
    return session.execute(query, {"tenant": tenant, "id": pass_id}).one_or_none()


def claim(session: Session, limit: int, *, urgent: bool = False) -> list[ClaimedPass]:
    """Claim due passes, the most urgent first; with `urgent` none but those that a user waits for."""
    return queue.claim(session, _URGENT if urgent else PASSES, limit)


_HOLD = text("""
select p.id from crm.enrichment_pass p join json_to_recordset(cast(:rows as json)) as h(id bigint, fence integer) on h.id = p.id
 where p.fence = h.fence and p.due_at is not null order by p.id for no key update of p""")


def hold(session: Session, held: Iterable[ClaimedPass]) -> set[int]:
    """Return the passes whose lease is still their holder's, and keep it so until the transaction ends: the fence, for many at once."""
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
    session.execute(
        text(
            "update crm.enrichment_pass set due_at = clock_timestamp() + make_interval(secs => :s) where id = any(:ids)"
        ),
        {"s": seconds, "ids": list(ids)},
    )


_VALUES: dict[str, TextClause] = {
    kind: text(f"""
select w.id as pass_id, t.slug, r.fields || jsonb_strip_nulls(jsonb_build_object({columns})) as said
  from json_to_recordset(cast(:rows as json)) as w(id bigint, tenant_id integer, record_id text)
  join crm.tenant t on t.id = w.tenant_id join crm.{kind} r on r.tenant_id = w.tenant_id and r.id = w.record_id""")
    for kind, columns in {
        "account": "'name', r.name, 'domain', r.domain",
        "contact": "'name', nullif(r.name, ''), 'email', r.email, 'account_id', r.account_id",
    }.items()
}


def records(session: Session, passes: Iterable[ClaimedPass]) -> dict[int, tuple[str, dict[str, Any]]]:
    """Return, by pass, the tenant's slug and the values of the pass's record; nothing for a record that is gone."""
    found: dict[int, tuple[str, dict[str, Any]]] = {}
    by_kind: dict[str, list[dict[str, Any]]] = {}
    for row in passes:
        by_kind.setdefault(row.kind, []).append(
            {"id": row.id, "tenant_id": row.tenant_id, "record_id": row.record_id}
        )
    for kind, wanted in by_kind.items():
        found |= {
            row.pass_id: (row.slug, row.said)
            for row in session.execute(_VALUES[kind], {"rows": as_rows(wanted)})
        }
    return found


_STALE = text("""
select l.tenant_id, l.record_id from crm.enrichment_latest l
 where l.kind = :kind and l.ended_at < clock_timestamp() - make_interval(secs => :seconds)
   and not exists (select from crm.enrichment_pass p
                    where p.tenant_id = l.tenant_id and p.kind = l.kind and p.record_id = l.record_id and p.due_at is not null)
 order by l.ended_at limit :limit""")


def stale(session: Session, kind: str, older_than: timedelta, limit: int) -> Sequence[Row[Any]]:
    """Return (tenant_id, record_id) of records whose last pass is older than that and that none is in flight for, the oldest first."""
    return session.execute(
        _STALE, {"kind": kind, "seconds": older_than.total_seconds(), "limit": limit}
    ).all()


def forget(session: Session, tenant: int, kind: str, ids: Sequence[str]) -> None:
    """Forget when records that are gone were last enriched."""
    query = text(
        "delete from crm.enrichment_latest where tenant_id = :tenant and kind = :kind and record_id = any(:ids)"
    )
    session.execute(query, {"tenant": tenant, "kind": kind, "ids": list(ids)})


def purge(session: Session, older_than: timedelta, limit: int = 5000) -> int:
    """Delete passes that ended longer ago than that, their calls, and cached answers that have expired; return how many passes."""
    values = {"seconds": older_than.total_seconds(), "limit": limit}
    session.execute(
        text("""delete from crm.enrichment_cache where (tenant_id, provider, key) in
                (select tenant_id, provider, key from crm.enrichment_cache where expires_at < clock_timestamp() limit :limit)"""),
        values,
    )
    gone = session.scalars(
        text("""delete from crm.enrichment_pass where id in (select id from crm.enrichment_pass
                 where ended_at < clock_timestamp() - make_interval(secs => :seconds) order by ended_at limit :limit) returning id"""),
        values,
    ).all()
    session.execute(text("delete from crm.enrichment_call where pass_id = any(:ids)"), {"ids": list(gone)})
    return len(gone)
