"""The records that events are about: tenants, their members, accounts, contacts and opportunities.

Every function takes the session and the tenant; the session's transaction must name the same tenant
(`db.engine.begin`). Tenants themselves are looked up with the role producer, since a reader sees its own
alone.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Annotated, Any, NamedTuple, TypeVar

import msgspec
from msgspec import Meta
from sqlalchemy import TextClause, text
from sqlalchemy.orm import Session

from activity.errors import ActivityError


class ContactNotFound(ActivityError):
    """No contact of the workspace has this id."""


class TenantNotFound(ActivityError):
    """No workspace has this slug or id."""


class Tenant(NamedTuple):
    """A workspace."""

    id: int
    slug: str
    name: str
    created_at: datetime


_PLAIN = r"^[^\x00-\x1f\x7f]*$"
Id = Annotated[str, Meta(min_length=1, max_length=200, pattern=_PLAIN)]
Name = Annotated[str, Meta(max_length=320, pattern=_PLAIN)]
Address = Annotated[str, Meta(max_length=320, pattern=r"^[^\s@]+@[^\s@]+$")]


class Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A row of a tenant.

    What is None, or a field that is not in `fields`, stays as it is stored when the record is upserted.
    """


class Member(Record, frozen=True, kw_only=True):
    """A user of the workspace; the manager's address finds an owner's manager."""

    email: Address
    name: Name | None = None
    manager_email: Address | None = None


class Account(Record, frozen=True, kw_only=True):
    """A company; `parent_id` is the account above it."""

    id: Id
    name: Name | None = None  # the id, where a new account has no name
    parent_id: Id | None = None
    domain: Name | None = None
    owner_email: Address | None = None
    fields: dict[str, Any] = {}


class Contact(Record, frozen=True, kw_only=True):
    """A person."""

    id: Id
    account_id: Id | None = None
    name: Name | None = None
    email: Address | None = None
    owner_email: Address | None = None
    fields: dict[str, Any] = {}


class Opportunity(Record, frozen=True, kw_only=True):
    """A deal; `amount` has two decimals at the most, `currency` is an ISO 4217 code."""

    id: Id
    account_id: Id | None = None
    name: Name | None = None
    stage: Name | None = None
    amount: Decimal | None = None
    currency: Name | None = None
    owner_email: Address | None = None
    fields: dict[str, Any] = {}


R = TypeVar("R", bound=Record)


@dataclass(frozen=True)
class _Table:
    name: str  # all of these are constants of ours, never input
    key: str
    defaults: dict[str, str]  # what a new record holds where nothing is said and null is not allowed
    stamped: bool = True


_TABLES: dict[type[Record], _Table] = {
    Member: _Table("crm.member", "email", {"name": "''"}, stamped=False),
    Account: _Table("crm.account", "id", {"name": "r.id"}),
    Contact: _Table("crm.contact", "id", {"name": "''"}),
    Opportunity: _Table("crm.opportunity", "id", {"name": "''", "stage": "''"}),
}
_SQL_TYPES = {"amount": "numeric", "fields": "jsonb"}
_TENANT = "select id, slug, name, created_at from crm.tenant"


_SLUG = re.compile(r"(?=.*[a-z])[a-z0-9][a-z0-9-]{0,62}")


class InvalidSlug(ActivityError):
    """A text that cannot name a workspace."""


def make_tenant(session: Session, slug: str, name: str) -> Tenant:
    """Make the workspace, with an empty log; return the existing one where the slug is taken.

    Raises InvalidSlug.

    A slug of digits alone could be taken for another workspace's id.
    """
    if not _SLUG.fullmatch(slug):
        raise InvalidSlug(
            f"{slug!r} is not a slug: write at most 63 of a-z, 0-9 and -, with a letter in it, the first "
            f"not -"
        )
    session.execute(
        text("insert into crm.tenant (slug, name) values (:slug, :name) on conflict (slug) do nothing"),
        {"slug": slug, "name": name},
    )
    return get_tenant(session, slug)


def get_tenant(session: Session, ref: str | int) -> Tenant:
    """Return the workspace with this slug, a text, or this id, a number; never one for the other.

    Raises TenantNotFound.
    """
    which = "id = :ref" if isinstance(ref, int) else "slug = :ref"
    found = None
    if not isinstance(ref, bool) and (isinstance(ref, str) or 0 < ref < 2**31):
        found = session.execute(text(f"{_TENANT} where {which}"), {"ref": ref}).one_or_none()
    if found is None:
        raise TenantNotFound(
            f"no tenant {ref!r}: `activity tenant list` shows those there are, `activity tenant add` makes "
            f"one"
        )
    return Tenant(*found)


def find_tenant(session: Session, typed: str) -> Tenant:
    """Return the workspace that a person names by slug or, in digits, by id. Raises TenantNotFound."""
    try:
        return get_tenant(session, typed)
    except TenantNotFound:
        if not (typed.isascii() and typed.isdigit() and len(typed) < 10):
            raise
        return get_tenant(session, int(typed))


def list_tenants(session: Session, limit: int = 1000) -> list[Tenant]:
    """Return the workspaces, the oldest first."""
    return [
        Tenant(*row) for row in session.execute(text(f"{_TENANT} order by id limit :limit"), {"limit": limit})
    ]


def upsert(session: Session, tenant: int, records: Iterable[R]) -> int:
    """Insert or change records of one kind, all at once; return how many were new or changed.

    Of two with one key, the later wins.
    """
    by_key: dict[str, R] = {}
    for record in records:
        key = getattr(record, _TABLES[type(record)].key)
        by_key[key] = _over(by_key[key], record) if key in by_key else record
    if not by_key:
        return 0
    rows = list(by_key.values())
    values = {"tenant": tenant, "rows": msgspec.json.encode(rows).decode()}
    return sum(session.execute(statement, values).rowcount for statement in _upsert(type(rows[0])))  # type: ignore[attr-defined]  # CursorResults


def _over(earlier: R, later: R) -> R:
    given = {name: value for name in later.__struct_fields__ if (value := getattr(later, name)) is not None}
    if "fields" in given:
        given["fields"] = {**getattr(earlier, "fields"), **given["fields"]}  # noqa: B009  # not every record has fields
    return msgspec.structs.replace(earlier, **given)


@cache
def _upsert(kind: type[Record]) -> tuple[TextClause, TextClause]:
    """Insert what is new, then change what differs.

    The second statement sees what others inserted meanwhile.
    """
    table, columns = _TABLES[kind], kind.__struct_fields__
    typed = ", ".join(f"{column} {_SQL_TYPES.get(column, 'text')}" for column in columns)
    given = f"json_to_recordset(cast(:rows as json)) as r({typed})"
    new = ", ".join(f"coalesce(r.{column}, {table.defaults.get(column, 'null')})" for column in columns)
    changing = [column for column in columns if column != table.key]
    after = [
        f"t.{column} || r.{column}" if column == "fields" else f"coalesce(r.{column}, t.{column})"
        for column in changing
    ]
    sets = ", ".join(f"{column} = {value}" for column, value in zip(changing, after, strict=True))
    # In the order of the key, so that two of these wait for each other and never lock each other out
    return (
        text(f"""insert into {table.name} (tenant_id, {", ".join(columns)}) select :tenant, {new} from {given}
                  order by r.{table.key} on conflict do nothing"""),
        text(f"""update {table.name} t set {sets}{", updated_at = clock_timestamp()" if table.stamped else ""}
                  from {given}
                  where t.tenant_id = :tenant and t.{table.key} = r.{table.key}
                    and ({", ".join(f"t.{column}" for column in changing)})
                     is distinct from ({", ".join(after)})"""),
    )


def get(session: Session, tenant: int, kind: type[R], key: str) -> R | None:
    """Return the record of this kind with this id (a member's is the e-mail address), or None."""
    return next(iter(_select(session, kind, f"{_TABLES[kind].key} = :key", tenant=tenant, key=key)), None)


def hold(session: Session, tenant: int, kind: type[Record], key: str) -> None:
    """Keep others from changing this record by `hold` too, until the transaction ends.

    It need not be there yet.
    """
    name = f"{tenant}/{_TABLES[kind].name}/{key}"
    session.execute(text("select pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": name})


def contacts_of(session: Session, tenant: int, account_id: str, limit: int = 100) -> Sequence[Contact]:
    """Return the contacts of an account, by name."""
    return _select(
        session,
        Contact,
        "account_id = :account order by name, id limit :limit",
        tenant=tenant,
        account=account_id,
        limit=limit,
    )


def children(session: Session, tenant: int, account_id: str) -> Sequence[Account]:
    """Return the accounts directly beneath this one, by name; the first 1,000."""
    return _select(
        session, Account, "parent_id = :parent order by name, id limit 1000", tenant=tenant, parent=account_id
    )


# 'union' drops what is there already, and the depth ends what a loop of parents would repeat.
_BENEATH = text("""
with recursive beneath (id, depth) as (
  select id, 1 from crm.account where tenant_id = :tenant and parent_id = :account
  union
  select a.id, b.depth + 1 from crm.account a join beneath b on a.parent_id = b.id where a.tenant_id = :tenant
      and b.depth < :depth)
select id from (select id, min(depth) as depth from beneath where id <> :account group by id) b
    order by depth, id limit :limit""")


def beneath(session: Session, tenant: int, account_id: str, depth: int = 10, limit: int = 5000) -> list[str]:
    """Return the ids of the accounts beneath this one, the nearest first; a loop of parents does no harm."""
    values = {"tenant": tenant, "account": account_id, "depth": depth, "limit": limit}
    return list(session.scalars(_BENEATH, values))


def names(session: Session, tenant: int, kind: type[Record], ids: Collection[str]) -> Mapping[str, str]:
    """Return the names that records of a kind have now, by id."""
    if not ids:
        return {}
    query = text(f"select id, name from {_TABLES[kind].name} where tenant_id = :tenant and id = any(:ids)")
    return {row.id: row.name for row in session.execute(query, {"tenant": tenant, "ids": list(ids)})}


def _select(session: Session, kind: type[R], where: str, **values: object) -> list[R]:
    columns = kind.__struct_fields__
    # Constants of ours
    query = f"select {', '.join(columns)} from {_TABLES[kind].name} where tenant_id = :tenant and {where}"
    return [kind(**row) for row in session.execute(text(query), values).mappings()]
