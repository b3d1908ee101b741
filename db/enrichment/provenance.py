"""Which provider the values of enriched fields come from, and each record's last pass."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from sqlalchemy import text
from sqlalchemy.orm import Session

from db.records.values import Key, keys_as_rows
from db.rows import as_rows


class FieldSource(NamedTuple):
    """Where a field's value comes from: the provider and the pass that set it, or confirmed it last."""

    tenant_id: int
    kind: str
    record_id: str
    field: str
    value: object
    provider: str
    confidence: float
    cost: Decimal
    pass_id: int
    obtained_at: datetime


class LatestPass(NamedTuple):
    """A record's last pass; `provider` is the one that last changed something, if any did."""

    tenant_id: int
    kind: str
    record_id: str
    pass_id: int
    provider: str | None


_COLUMNS = ", ".join(FieldSource._fields)
_OF = text(f"""
select {_COLUMNS} from crm.enrichment_provenance
  join json_to_recordset(cast(:keys as json)) as k(tenant_id integer, record_id text)
       using (tenant_id, record_id)
 where kind = :kind""")
_PUT = text(f"""
insert into crm.enrichment_provenance ({_COLUMNS})
select {_COLUMNS}
  from json_to_recordset(cast(:rows as json)) as r(tenant_id integer, kind text, record_id text, field text,
       value jsonb, provider text, confidence float8, cost numeric, pass_id bigint, obtained_at timestamptz)
 order by tenant_id, kind, record_id, field
    on conflict (tenant_id, kind, record_id, field)
    do update set value = excluded.value, provider = excluded.provider, confidence = excluded.confidence,
       cost = excluded.cost, pass_id = excluded.pass_id, obtained_at = excluded.obtained_at""")
_LATEST = text("""
insert into crm.enrichment_latest as l (tenant_id, kind, record_id, pass_id, provider, ended_at)
select distinct on (tenant_id, kind, record_id)
       tenant_id, kind, record_id, pass_id, provider, clock_timestamp()
  from json_to_recordset(cast(:rows as json))
       as r(tenant_id integer, kind text, record_id text, pass_id bigint, provider text)
 order by tenant_id, kind, record_id, pass_id desc
    on conflict (tenant_id, kind, record_id)
    do update set pass_id = excluded.pass_id, provider = coalesce(excluded.provider, l.provider),
       ended_at = excluded.ended_at""")


def of(session: Session, kind: str, keys: Iterable[Key]) -> dict[Key, dict[str, FieldSource]]:
    """Return the sources of the values of records of a kind, by record and field."""
    found: dict[Key, dict[str, FieldSource]] = {}
    for row in session.execute(_OF, {"keys": keys_as_rows(keys), "kind": kind}):
        found.setdefault((row.tenant_id, row.record_id), {})[row.field] = FieldSource._make(row)
    return found


def put(session: Session, sources: Sequence[FieldSource]) -> None:
    """Record where values come from; no field of a record may be named twice."""
    session.execute(_PUT, {"rows": as_rows(source._asdict() for source in sources)})


def put_latest(session: Session, passes: Sequence[LatestPass]) -> None:
    """Record each record's last pass, ended now; its provider stays where this one changed nothing."""
    session.execute(_LATEST, {"rows": as_rows(latest._asdict() for latest in passes)})


def last_change(
    session: Session, tenant: int, kind: str, record_id: str
) -> tuple[str | None, datetime | None]:
    """Return which provider last changed a record, and when its last pass ended; None if never."""
    query = text("""
        select provider, ended_at from crm.enrichment_latest
         where tenant_id = :tenant and kind = :kind and record_id = :record""")
    row = session.execute(query, {"tenant": tenant, "kind": kind, "record": record_id}).one_or_none()
    return (None, None) if row is None else (row.provider, row.ended_at)
