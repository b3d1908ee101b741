"""The one INSERT into the log. Only worker.append may import this module."""

from typing import NamedTuple
from uuid import UUID

import msgspec
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from db.engine import engine
from db.log.outbox import TAKE, Waiting

_RECEIPT = "current_setting('activity.receipt')"
_APPEND = text(
    f"insert into activity.inbox (doc) values (cast(cast(:docs as text[]) as json[])) returning {_RECEIPT}"
)
_SEPARATOR = chr(30)  # no JSON text holds this character, and a text passes in half the time of an array
_MOVE = f"""
with taken as ({TAKE}),
     batch as (select array_agg(doc) as docs, array_agg(tenant_id) as tenants,
                      string_agg(doc::text, chr(30)) as text
                 from (select * from taken order by tenant_id, n) ordered),
     stored as (insert into activity.inbox (doc) select docs from batch where docs is not null
                returning {_RECEIPT} as receipt)
select receipt, tenants, text from stored, batch
"""

# SQLSTATE classes that say the event itself is at fault: data exceptions, broken constraints, a program
# limit. All others are the moment's.
_POISON = ("22", "23", "54")


class BatchAnswer(msgspec.Struct):
    """The log's answer for a batch, in the order given: the events' numbers, and a letter each.

    A(ppended), d(uplicate), c(onflict).
    """

    recorded_us: int
    epochs: dict[int, UUID]
    seqs: list[int]
    statuses: str


class Stored(NamedTuple):
    """Rows of the outbox and what the log answered for them, in the same order."""

    rows: list[Waiting]
    receipts: BatchAnswer


class Poison(NamedTuple):
    """Why the log refuses a batch that it would refuse again."""

    reason: str


_decode_answer = msgspec.json.Decoder(BatchAnswer).decode


def move(limit: int) -> Stored | Poison | None:
    """Take a fair batch of up to `limit` events out of the outbox and append it, in one transaction.

    Returns what was stored, or None where nothing waits, or why the batch can't be stored as it is: then all
    is as it was.
    """
    try:
        with engine("writer").connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            row = connection.exec_driver_sql(_MOVE, {"limit": limit}).one_or_none()
    except DBAPIError as error:
        return _poison(error)
    if row is None:
        return None
    receipt, tenants, docs = row
    return Stored(list(map(Waiting, tenants, docs.split(_SEPARATOR))), _decode_answer(receipt))


def append(session: Session, docs: list[str]) -> BatchAnswer | Poison:
    """Append a batch of documents, none of them twice, within the session's transaction.

    A refusal leaves that as it was before.
    """
    try:
        with session.begin_nested():
            return _decode_answer(session.execute(_APPEND, {"docs": docs}).scalar_one())
    except DBAPIError as error:
        return _poison(error)


def _poison(error: DBAPIError) -> Poison:
    """Return why the events are at fault, or raise the error again: the caller rolls back and tries later."""
    state = getattr(error.orig, "sqlstate", None) or ""
    if not state.startswith(_POISON):
        raise error
    return Poison(f"{state}: {str(error.orig).splitlines()[0]}")
