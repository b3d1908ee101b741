"""Mails whose reading raised: set aside whole, with the reason."""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import text
from sqlalchemy.orm import Session


class MailSetAside(NamedTuple):
    """A mail that was set aside; `size` is in bytes."""

    id: int
    source: str
    reason: str
    size: int
    received_at: datetime


def add(session: Session, tenant: int, source: str, raw: bytes, reason: str) -> None:
    """Set a mail aside."""
    statement = text("""
        insert into crm.unreadable_mail (tenant_id, source, raw, reason)
        values (:tenant, :source, :raw, :reason)""")
    values = {"tenant": tenant, "source": source, "raw": raw, "reason": reason[:500]}
    session.execute(statement, values)


def list_all(session: Session, tenant: int, limit: int = 100) -> list[MailSetAside]:
    """Return the newest mails that were set aside."""
    statement = text("""
        select id, source, reason, octet_length(raw), received_at from crm.unreadable_mail
         where tenant_id = :tenant order by id desc limit :limit""")
    rows = session.execute(statement, {"tenant": tenant, "limit": limit})
    return [MailSetAside(*row) for row in rows]


def raw(session: Session, tenant: int, id_: int) -> bytes | None:
    """Return a mail as it came, or None where there is none with this number."""
    statement = text("select raw from crm.unreadable_mail where tenant_id = :tenant and id = :id")
    found = session.execute(statement, {"tenant": tenant, "id": id_}).scalar_one_or_none()
    return None if found is None else bytes(found)
