"""One event as the chain sees it, for its proof."""

from typing import NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from activity.proof.chain import GENESIS, Header, Link
from db.log.audit import HEADER

_EVENT = text(f"""
select {HEADER}, convert_to(payload::text, 'UTF8'),
       activity.salt(tenant_id, seq), hash, (select hash from activity.event before
         where before.tenant_id = e.tenant_id and before.seq = e.seq - 1)
  from activity.event e where event_id = :event_id and tenant_id = :tenant
""")


class Placed(NamedTuple):
    """An event as the chain sees it, and the hash of the one before it."""

    link: Link
    previous: bytes


def event(session: Session, tenant_id: int, event_id: UUID) -> Placed | None:
    """Return an event's link. For the role reader, in a transaction that names the tenant."""
    row = session.execute(_EVENT, {"tenant": tenant_id, "event_id": event_id}).one_or_none()
    if row is None:
        return None
    *header, payload, salt, hash_, previous = row
    return Placed(Link(Header(*header), payload, salt, hash_), GENESIS if previous is None else previous)
