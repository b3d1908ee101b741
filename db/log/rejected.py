"""What the log refused: parked documents, each with the reason.

For the role auditor, who sees those without a tenant too.
"""

from collections.abc import Collection
from datetime import datetime

import msgspec
from sqlalchemy import text
from sqlalchemy.orm import Session


class Rejected(msgspec.Struct, frozen=True):
    """A refused document."""

    id: int
    tenant_id: int | None
    doc: str
    reason: str
    rejected_at: datetime


def rejected(
    session: Session, tenant: int | None = None, ids: Collection[int] | None = None, limit: int = 1000
) -> list[Rejected]:
    """Return refused documents, the newest first.

    Of a tenant where one is given, and of these numbers where some are.
    """
    asked: dict[str, object] = {"tenant": tenant, "ids": None if ids is None else list(ids), "limit": limit}
    rows = session.execute(
        text("""
            select id, tenant_id, doc, reason, rejected_at from activity.rejected
             where (cast(:tenant as int) is null or tenant_id = :tenant) and (cast(:ids as bigint[]) is null
                 or id = any(:ids))
             order by id desc limit :limit"""),
        asked,
    )
    return [Rejected(*row) for row in rows]


def refused_since(session: Session, moment: datetime) -> int:
    """Return how many documents were refused since a moment."""
    return int(
        session.execute(
            text("select count(*) from activity.rejected where rejected_at >= :moment"), {"moment": moment}
        ).scalar_one()
    )


_PARK = text("insert into activity.rejected (tenant_id, doc, reason) values (:tenant_id, :doc, :reason)")


def park(session: Session, tenant_id: int | None, doc: str, reason: str) -> None:
    """Keep a document that can't be appended, with the reason, for an operator."""
    session.execute(_PARK, {"tenant_id": tenant_id, "doc": doc, "reason": reason[:2000]})
