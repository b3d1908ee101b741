"""Where logs stand: their epoch and the number of their last event."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from psycopg.pq import ExecStatus
from sqlalchemy import text
from sqlalchemy.exc import NoResultFound
from sqlalchemy.orm import Session

from db.connection import BoundedConnection
from db.engine import begin, driver, driver_errors, engine, raw


class Head(NamedTuple):
    """The end of one tenant's log."""

    tenant_id: int
    epoch: UUID
    seq: int


def moved_since(session: Session, moment: datetime) -> list[Head]:
    """Return the heads of every tenant whose log grew since `moment`: for the roles producer and writer."""
    rows = session.execute(
        text("select tenant_id, epoch, seq from activity.heads(:since)"), {"since": moment}
    )
    return [Head(*row) for row in rows]


def head(session: Session, tenant_id: int) -> Head:
    """Return where one tenant's log stands: for the role reader, in a transaction that names the tenant.

    Raises NoResultFound.
    """
    with driver_errors():
        row = (
            driver(session)
            .execute("select epoch, seq from activity.head where tenant_id = %s", (tenant_id,))
            .fetchone()
        )
    if row is None:
        raise NoResultFound(f"workspace {tenant_id} has no log")
    return Head(tenant_id, *row)


def heads_now(tenant_ids: Sequence[int]) -> list[Head]:
    """Return where these logs stand, in the same order, with one message to the server for each log.

    Raises NoResultFound.
    """
    with engine("reader").connect() as connection:
        server = raw(connection)
        found = {tenant_id: _ask(server, tenant_id) for tenant_id in set(tenant_ids)}
    return [found[tenant_id] or _head(tenant_id) for tenant_id in tenant_ids]


def _ask(server: BoundedConnection, tenant_id: int) -> Head | None:
    """Return where a log stands, or None where the server does not say it.

    Statements in one message are one transaction.
    """
    which = f"select epoch, seq from activity.head where tenant_id = {tenant_id:d}"
    answer = server.ask(f"select set_config('activity.tenant', '{tenant_id:d}', true); {which}".encode())[-1]
    if answer.status != ExecStatus.TUPLES_OK or not answer.ntuples:
        return None
    epoch, seq = ((answer.get_value(0, column) or b"").decode() for column in range(2))
    return Head(tenant_id, UUID(epoch), int(seq))


def _head(tenant_id: int) -> Head:
    with begin("reader", tenant_id) as session:
        return head(session, tenant_id)
