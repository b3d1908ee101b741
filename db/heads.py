"""Where logs stand: their epoch and the number of their last event."""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

_HEAD = text("select tenant_id, epoch, seq from activity.head where tenant_id = :tenant")


class Head(NamedTuple):
    """The end of one tenant's log."""

    tenant_id: int
    epoch: UUID
    seq: int


def moved_since(session: Session, moment: datetime) -> list[Head]:
    """Return the heads of every tenant whose log grew since `moment`: for the roles producer and writer."""
    rows = session.execute(text("select tenant_id, epoch, seq from activity.heads(:since)"), {"since": moment})
    return [Head(*row) for row in rows]


def head(session: Session, tenant_id: int) -> Head:
    """Return where one tenant's log stands: for the role reader, in a transaction that names the tenant. Raises NoResultFound."""
    return Head(*session.execute(_HEAD, {"tenant": tenant_id}).one())
