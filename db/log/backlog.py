"""How much was said and is not in the log yet, and what became of it.

For those who say a lot at once, and for operators.
"""

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.orm import Session

_WAITING = text("select activity.waiting(:tenants, :cap)")
_APPENDED = text(
    "select count(*) from activity.event where tenant_id = :tenant and seq > :seq and source = :source"
)
_REJECTED = text(
    "select count(*) from activity.rejected where tenant_id = :tenant and id > :id and doc::json ->> "
    "'source' = :source"
)
_LAST_REJECTED = text("select coalesce(max(id), 0) from activity.rejected where tenant_id = :tenant")


def waiting(session: Session, tenants: Sequence[int], cap: int) -> int:
    """Return how many events of these tenants wait in the outbox; counting ends at `cap`.

    For the roles producer and reader.
    """
    return int(session.execute(_WAITING, {"tenants": list(tenants), "cap": cap}).scalar_one())


def last_rejected(session: Session, tenant: int) -> int:
    """Return the number of the last document that the log refused, 0 when there is none.

    For the role reader.
    """
    return int(session.execute(_LAST_REJECTED, {"tenant": tenant}).scalar_one())


def outcome(
    session: Session, tenant: int, source: str, after_seq: int, after_rejected: int
) -> tuple[int, int]:
    """Return how many events of a source were appended, and how many refused, since these numbers."""
    appended = session.execute(_APPENDED, {"tenant": tenant, "seq": after_seq, "source": source}).scalar_one()
    return int(appended), int(
        session.execute(_REJECTED, {"tenant": tenant, "id": after_rejected, "source": source}).scalar_one()
    )
