"""Where the values of enriched fields are from, and the change of a record's values together with it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from db.rows import as_rows

Key = tuple[int, str]  # (tenant, record id) of one kind

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "account": ("name", "domain"),
    "contact": ("name", "email", "account_id"),
}
"""Fields that are columns of their own; all others are in the column `fields`."""


def _object(kind: str) -> str:
    return ", ".join(f"'{column}', nullif(a.{column}, '')" for column in COLUMNS[kind])


_KEYS = "json_to_recordset(cast(:rows as json)) as k(tenant_id integer, record_id text)"
_LOCK = {
    kind: text(f"""
select a.tenant_id, a.id, a.name, {"a.id" if kind == "account" else "a.account_id"} as account_id,
       a.fields || jsonb_strip_nulls(jsonb_build_object({_object(kind)})) as current
  from crm.{kind} a join {_KEYS} on k.tenant_id = a.tenant_id and k.record_id = a.id order by a.tenant_id, a.id for no key update of a""")
    for kind in COLUMNS
}
_PROVENANCE = text(f"""
select p.* from crm.enrichment_provenance p join {_KEYS} on k.tenant_id = p.tenant_id and k.record_id = p.record_id where p.kind = :kind""")
_SET = {
    kind: text(f"""
update crm.{kind} a set {", ".join(f"{column} = coalesce(r.changed->>'{column}', a.{column})" for column in columns)},
       fields = a.fields || (r.changed - cast(:columns as text[])), updated_at = clock_timestamp()
  from json_to_recordset(cast(:rows as json)) as r(tenant_id integer, record_id text, changed jsonb)
 where a.tenant_id = r.tenant_id and a.id = r.record_id""")
    for kind, columns in COLUMNS.items()
}
_PUT = text("""
insert into crm.enrichment_provenance (tenant_id, kind, record_id, field, value, provider, confidence, cost, pass_id, obtained_at)
select * from json_to_recordset(cast(:rows as json)) as r(tenant_id integer, kind text, record_id text, field text, value jsonb,
       provider text, confidence float8, cost numeric, pass_id bigint, obtained_at timestamptz) order by tenant_id, kind, record_id, field
    on conflict (tenant_id, kind, record_id, field) do update set value = excluded.value, provider = excluded.provider,
       confidence = excluded.confidence, cost = excluded.cost, pass_id = excluded.pass_id, obtained_at = excluded.obtained_at""")
_LATEST = text("""
insert into crm.enrichment_latest as l (tenant_id, kind, record_id, pass_id, provider, ended_at)
select distinct on (tenant_id, kind, record_id) tenant_id, kind, record_id, pass_id, provider, clock_timestamp()
  from json_to_recordset(cast(:rows as json)) as r(tenant_id integer, kind text, record_id text, pass_id bigint, provider text)
 order by tenant_id, kind, record_id, pass_id desc
    on conflict (tenant_id, kind, record_id) do update set pass_id = excluded.pass_id, provider = coalesce(excluded.provider, l.provider),
       ended_at = excluded.ended_at""")


def _keys(keys: Iterable[Key]) -> str:
    return as_rows({"tenant_id": tenant, "record_id": record} for tenant, record in sorted(set(keys)))


def lock(session: Session, kind: str, keys: Sequence[Key]) -> dict[Key, Row[Any]]:
    """Return records of a kind with `name`, `account_id` and `current` values, and keep them so until the transaction ends."""
    return {(row.tenant_id, row.id): row for row in session.execute(_LOCK[kind], {"rows": _keys(keys)})}


def of(session: Session, kind: str, keys: Sequence[Key]) -> dict[Key, dict[str, Row[Any]]]:
    """Return the provenance of records of a kind, by record and field."""
    found: dict[Key, dict[str, Row[Any]]] = {}
    for row in session.execute(_PROVENANCE, {"rows": _keys(keys), "kind": kind}):
        found.setdefault((row.tenant_id, row.record_id), {})[row.field] = row
    return found


def set_values(session: Session, kind: str, changes: Sequence[Mapping[str, Any]]) -> None:
    """Change records of a kind: `changed` holds the new values by field."""
    session.execute(_SET[kind], {"rows": as_rows(changes), "columns": list(COLUMNS[kind])})


def put(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    """Say where values are from; no field of a record twice."""
    session.execute(_PUT, {"rows": as_rows(rows)})


def put_latest(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    """Say which pass was each record's last, and which provider filled something in."""
    session.execute(_LATEST, {"rows": as_rows(rows)})


def latest(session: Session, tenant: int, kind: str, record_id: str) -> Row[Any] | None:
    """Return a record's last pass: pass_id, provider (that last changed something), ended_at."""
    query = text(
        "select pass_id, provider, ended_at from crm.enrichment_latest where tenant_id = :tenant and kind = :kind and record_id = :record"
    )
    return session.execute(query, {"tenant": tenant, "kind": kind, "record": record_id}).one_or_none()


_READ = {
    kind: text(f"""
select a.fields || jsonb_strip_nulls(jsonb_build_object({_object(kind)})) from crm.{kind} a where tenant_id = :tenant and id = :record""")
    for kind in COLUMNS
}


def read(session: Session, kind: str, tenant: int, record_id: str) -> dict[str, Any] | None:
    """Return a record's values by field, None where there is no such record."""
    found: dict[str, Any] | None = session.execute(
        _READ[kind], {"tenant": tenant, "record": record_id}
    ).scalar_one_or_none()
    return found
