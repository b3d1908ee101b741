"""When mails were delivered. A transaction names its tenant."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session


def record(session: Session, tenant: int, arrivals: Mapping[tuple[str, str], datetime]) -> None:
    """Store when mails arrived, by (message id, lower-cased address); of several times the earliest stays."""
    if not arrivals:
        return
    statement = text("""
        insert into crm.mail_delivery as d (tenant_id, message_id, recipient, delivered_at)
        select :tenant, *
          from unnest(cast(:ids as text[]), cast(:addresses as text[]), cast(:moments as timestamptz[]))
        on conflict (tenant_id, message_id, recipient) do update set delivered_at = excluded.delivered_at
          where excluded.delivered_at < d.delivered_at""")
    keys = sorted(arrivals)
    columns = {
        "ids": [key[0] for key in keys],
        "addresses": [key[1] for key in keys],
        "moments": [arrivals[key] for key in keys],
    }
    session.execute(statement, {"tenant": tenant} | columns)


def delivered_at(session: Session, tenant: int, ids: Iterable[str]) -> dict[tuple[str, str], datetime]:
    """Return when mails arrived, by (message id, address)."""
    statement = text("""
        select message_id, recipient, delivered_at from crm.mail_delivery
         where tenant_id = :tenant and message_id = any(:ids)""")
    found = session.execute(statement, {"tenant": tenant, "ids": sorted(set(ids))})
    return {(row[0], row[1]): row[2] for row in found}
