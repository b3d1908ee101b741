"""Lists of records: by name, or by when they were last touched, as the role reader.

A transaction names its tenant. A page costs what it reads, whatever the number of records.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Generic, Literal, NamedTuple, TypeVar

from sqlalchemy import text
from sqlalchemy.orm import Session

from db.records.records import Account, Contact, Opportunity, Record

Order = Literal["name", "touch", "silence"]
ListedKind = TypeVar("ListedKind", Account, Contact, Opportunity)

_TABLES: Mapping[type[Record], str] = {Account: "account", Contact: "contact", Opportunity: "opportunity"}
_NAMED = 200  # records that a part of a name finds: the shortest names


class Listed(NamedTuple, Generic[ListedKind]):
    """A record, and when it was last touched; None where it never was, and of opportunities."""

    record: ListedKind
    touched_at: datetime | None


class Place(NamedTuple):
    """The place of a record in a list: its name, or its last touch as PostgreSQL writes it; and its id."""

    value: str
    id: str


class Wanted(NamedTuple):
    """Which records are wanted, in which order: `touch` is the newest first, `silence` the oldest.

    `named` is a part of the name: the 200 with the shortest names that have it are looked at.
    """

    order: Order = "name"
    named: str | None = None
    owner: str | None = None
    account: str | None = None


def listed(
    session: Session, tenant: int, kind: type[ListedKind], wanted: Wanted, after: Place | None, limit: int
) -> list[tuple[Listed[ListedKind], Place]]:
    """Return at most `limit` records after a place (None: the first), each with its own."""
    values = {"tenant": tenant, "kind": _TABLES[kind], "limit": limit, "most": _NAMED, **wanted._asdict()}
    values |= {"pattern": _pattern(wanted.named or "")}
    values |= {} if after is None else {"value": after.value, "id": after.id}
    rows = session.execute(text(statement(kind, wanted, after)), values).mappings()
    return [
        (
            Listed(kind(**{name: row[name] for name in kind.__struct_fields__}), row["touched"]),
            Place(row["place"], row["id"]),
        )
        for row in rows
    ]


def statement(kind: type[Record], wanted: Wanted, after: Place | None) -> str:
    """Return the statement that lists such records; it names the values that `listed` gives."""
    by_name = wanted.order == "name"
    column, type_ = ("r.name", "text") if by_name else ("t.touched_at", "timestamptz")
    way, beyond = ("desc", "<") if wanted.order == "touch" else ("", ">")
    touches = kind is not Opportunity
    conditions = {
        "r.tenant_id = :tenant": True,
        "r.id in (select crm.named(:kind, :pattern, :most))": wanted.named is not None,
        f"{'t.owner_email' if touches else 'lower(r.owner_email)'} = lower(:owner)": wanted.owner is not None,
        "r.account_id = :account": wanted.account is not None,
        f"({column}, r.id) {beyond} (cast(:value as {type_}), :id)": after is not None,
    }
    join = "join crm.touch t on t.tenant_id = r.tenant_id and t.kind = :kind and t.id = r.id"
    columns = ", ".join(f"r.{name}" for name in kind.__struct_fields__)
    touched = "nullif(t.touched_at, '-infinity')" if touches else "cast(null as timestamptz)"
    return f"""
        select {columns}, {touched} as touched, cast({column} as text) as place
          from crm.{_TABLES[kind]} r {join if touches else ""}
         where {" and ".join(condition for condition, asked in conditions.items() if asked)}
         order by {column} {way}, r.id {way} limit :limit"""


def _pattern(named: str) -> str:
    escaped = named.strip().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"
