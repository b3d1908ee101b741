"""The one INSERT into the log. Only worker.append may import this module."""

from typing import NamedTuple
from uuid import UUID

import msgspec
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

_APPEND = text("insert into activity.inbox (doc) values (cast(:doc as json)) returning current_setting('activity.receipt')")
_PARK = text("insert into activity.rejected (tenant_id, doc, reason) values (:tenant_id, :doc, :reason)")

# SQLSTATE classes that say the event itself is at fault: data exceptions, broken constraints, a program limit. All others are the moment's.
_POISON = ("22", "23", "54")


class Receipts(msgspec.Struct):
    """The log's answer for a batch, in the order given: the events' numbers, and a letter each: a(ppended), d(uplicate), c(onflict)."""

    recorded_us: int
    epochs: dict[int, UUID]
    seqs: list[int]
    statuses: str


class Poison(NamedTuple):
    """Why the log refuses a batch that it would refuse again."""

    reason: str


def append(session: Session, docs: list[str]) -> Receipts | Poison:
    """Append a batch of documents, none of them twice, and return its receipts; or say why it can't be stored as it is.

    A refusal leaves the transaction as it was before. Any other error is the caller's: roll back and try later.
    """
    try:
        with session.begin_nested():
            answer = session.execute(_APPEND, {"doc": f"[{','.join(docs)}]"}).scalar_one()
    except DBAPIError as error:
        state = getattr(error.orig, "sqlstate", None) or ""
        if state.startswith(_POISON):
            return Poison(f"{state}: {str(error.orig).splitlines()[0]}")
        raise
    return msgspec.json.decode(answer, type=Receipts)


def park(session: Session, tenant_id: int | None, doc: str, reason: str) -> None:
    """Keep a document that can't be appended, with the reason, for an operator."""
    session.execute(_PARK, {"tenant_id": tenant_id, "doc": doc, "reason": reason[:2000]})
