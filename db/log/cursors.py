"""How far each durable follower has come in each tenant's log."""

from typing import NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session


class Cursor(NamedTuple):
    """A named follower's place: it has handled every event up to `seq`."""

    epoch: UUID
    seq: int


def behind(session: Session, name: str) -> list[int]:
    """Return the tenants of whose log the follower `name` has not handled all, the longest waiting first."""
    statement = text("""
        select h.tenant_id from activity.heads('-infinity') h left join activity.cursor c on c.name = :name
            and c.tenant_id = h.tenant_id
         where h.seq > coalesce(c.seq, 0) or h.epoch <> c.epoch order by c.moved_at nulls first""")
    return list(session.scalars(statement, {"name": name}))


def hold(session: Session, name: str, tenant_id: int, *, start: Cursor) -> Cursor | None:
    """Lock the follower's cursor until the transaction ends and return it, made at `start` if new.

    None while another process holds it.
    """
    names = {"name": name, "tenant": tenant_id}
    session.execute(
        text(
            "insert into activity.cursor (name, tenant_id, epoch, seq) values (:name, :tenant, :epoch, "
            ":seq) on conflict do nothing"
        ),
        names | start._asdict(),
    )
    row = session.execute(
        text(
            "select epoch, seq from activity.cursor where name = :name and tenant_id = :tenant for update "
            "skip locked"
        ),
        names,
    ).one_or_none()
    return None if row is None else Cursor(*row)


def move(session: Session, name: str, tenant_id: int, to: Cursor) -> None:
    """Say that everything up to `to` is handled: in the transaction of what the handling did."""
    session.execute(
        text(
            "update activity.cursor set epoch = :epoch, seq = :seq, moved_at = clock_timestamp() where name "
            "= :name and tenant_id = :tenant"
        ),
        {"name": name, "tenant": tenant_id} | to._asdict(),
    )
