"""The values of accounts, contacts and opportunities, as automation reads and changes them.

Statements are put together from the names of tables and columns below, never from input.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import msgspec
from sqlalchemy import text
from sqlalchemy.orm import Session

from activity.errors import ActivityError
from db.records.records import Account, Contact, Opportunity
from db.rows import as_rows

Key = tuple[int, str]
"""The tenant and the id of a record of one kind."""

COLUMNS: Mapping[str, tuple[str, ...]] = {
    kind: tuple(name for name in record.__struct_fields__ if name != "fields")
    for kind, record in {"account": Account, "contact": Contact, "opportunity": Opportunity}.items()
}
"""The columns that each kind of record has of its own; every other value is in its column `fields`."""

EnrichedKind = Literal["account", "contact"]

ENRICHED: Mapping[str, tuple[str, ...]] = {
    "account": ("name", "domain"),
    "contact": ("name", "email", "account_id"),
}
"""The columns that providers are asked by and that enrichment may fill in, by the kinds that are enriched."""

_SETTABLE = {"name", "domain", "email", "owner_email", "stage", "amount", "currency"}  # by a playbook


class RecordNotFound(ActivityError):
    """The workspace has no record of this kind with this id."""


class RecordValues(NamedTuple):
    """A record with the values that enrichment works with; `current` has columns and fields alike."""

    tenant_id: int
    id: str
    slug: str  # the workspace's
    name: str
    account_id: str | None
    current: dict[str, object]


def existing(session: Session, tenant: int, kind: str, ids: Sequence[str]) -> set[str]:
    """Return those of the ids that are records of this kind."""
    query = text(f"select id from crm.{kind} where tenant_id = :tenant and id = any(:ids)")
    return set(session.scalars(query, {"tenant": tenant, "ids": list(ids)}))


def _selected(kind: str) -> str:
    columns = ("amount::float8 as amount" if name == "amount" else name for name in COLUMNS[kind])
    return f"select {', '.join(columns)}, fields, created_at, updated_at from crm.{kind}"


def read(session: Session, tenant: int, kind: str, ids: Sequence[str]) -> dict[str, dict[str, object]]:
    """Return records whole, by id: their columns, `fields`, `created_at` and `updated_at`."""
    statement = text(f"{_selected(kind)} where tenant_id = :tenant and id = any(:ids)")
    rows = session.execute(statement, {"tenant": tenant, "ids": list(ids)})
    return {row.id: dict(row._mapping) for row in rows}


def read_after(session: Session, tenant: int, kind: str, after: str, limit: int) -> list[dict[str, Any]]:
    """Return the next records of a kind, whole, in the order of their ids."""
    statement = text(f"{_selected(kind)} where tenant_id = :tenant and id > :after order by id limit :limit")
    rows = session.execute(statement, {"tenant": tenant, "after": after, "limit": limit})
    return [dict(row._mapping) for row in rows]


def _enriched(kind: str) -> str:
    named = ", ".join(f"'{column}', nullif(a.{column}, '')" for column in ENRICHED[kind])
    return f"""
select a.tenant_id, a.id, t.slug, a.name, {"a.id" if kind == "account" else "a.account_id"} as account_id,
       a.fields || jsonb_strip_nulls(jsonb_build_object({named})) as current
  from json_to_recordset(cast(:keys as json)) as k(tenant_id integer, record_id text)
  join crm.{kind} a on a.tenant_id = k.tenant_id and a.id = k.record_id
  join crm.tenant t on t.id = a.tenant_id
 order by a.tenant_id, a.id"""


_ENRICHED = {kind: text(_enriched(kind)) for kind in ENRICHED}
_LOCKED = {kind: text(f"{_enriched(kind)} for no key update of a") for kind in ENRICHED}


def keys_as_rows(keys: Iterable[Key]) -> str:
    """Return keys as rows of (tenant_id, record_id), each once."""
    return as_rows({"tenant_id": tenant, "record_id": record} for tenant, record in sorted(set(keys)))


def current(
    session: Session, kind: str, keys: Iterable[Key], *, lock: bool = False
) -> dict[Key, RecordValues]:
    """Return the records that exist; with `lock`, no other transaction changes them until this one ends."""
    statement = (_LOCKED if lock else _ENRICHED)[kind]
    rows = session.execute(statement, {"keys": keys_as_rows(keys)})
    return {(row.tenant_id, row.id): RecordValues._make(row) for row in rows}


_SET = {
    kind: text(f"""
update crm.{kind} a
   set {", ".join(f"{column} = coalesce(r.changed->>'{column}', a.{column})" for column in columns)},
       fields = a.fields || (r.changed - cast(:columns as text[])), updated_at = clock_timestamp()
  from json_to_recordset(cast(:rows as json)) as r(tenant_id integer, record_id text, changed jsonb)
 where a.tenant_id = r.tenant_id and a.id = r.record_id""")
    for kind, columns in ENRICHED.items()
}


def set_values(session: Session, kind: str, changes: Mapping[Key, Mapping[str, object]]) -> None:
    """Change enriched records of a kind: the new values of each, by the names of their fields."""
    rows = as_rows(
        {"tenant_id": tenant, "record_id": record, "changed": changed}
        for (tenant, record), changed in changes.items()
    )
    session.execute(_SET[kind], {"rows": rows, "columns": list(ENRICHED[kind])})


def set_value(session: Session, tenant: int, kind: str, id: str, field: str, value: Any) -> Any:
    """Set a column or field of a record and return what it was before. Raises RecordNotFound."""
    is_column = field in _SETTABLE and field in COLUMNS[kind]
    found = session.execute(
        text(f"""
            select {field if is_column else "fields -> :field"} from crm.{kind}
             where tenant_id = :tenant and id = :id for update"""),
        {"tenant": tenant, "id": id, "field": field},
    ).one_or_none()
    if found is None:
        raise RecordNotFound(f"no {kind} {id!r}: give the id of one of the workspace's records")
    changed = (
        f"{field} = cast(:value as text){'::numeric' if field == 'amount' else ''}"
        if is_column
        else "fields = fields || jsonb_build_object(cast(:field as text), cast(:value as jsonb))"
    )
    as_it_is = is_column and isinstance(value, str | None)
    stored = value if as_it_is else msgspec.json.encode(value).decode()
    session.execute(
        text(f"""
            update crm.{kind} set {changed}, updated_at = clock_timestamp()
             where tenant_id = :tenant and id = :id"""),
        {"tenant": tenant, "id": id, "field": field, "value": stored},
    )
    return found[0]


def account_of_domain(session: Session, tenant: int, domain: str) -> str | None:
    """Return the oldest account with this domain, or None."""
    query = text("""
        select id from crm.account where tenant_id = :tenant and domain = :domain
         order by created_at, id limit 1""")
    return session.scalars(query, {"tenant": tenant, "domain": domain}).first()
