"""Who agreed to mail, or withdrew that: the last word of each address."""

from sqlalchemy import text
from sqlalchemy.orm import Session

from db.mail.suppression import Provenance, key


def record(session: Session, tenant: int, address: str, granted: bool, given: Provenance) -> bool:
    """Record that the owner of an address agreed to mail, or withdrew that; return whether it is new."""
    statement = text("""
        insert into crm.consent as c (tenant_id, address, granted, source, actor)
        values (:tenant, :address, :granted, :source, :actor)
        on conflict (tenant_id, address) do update
          set granted = excluded.granted, source = excluded.source, actor = excluded.actor,
              changed_at = clock_timestamp()
          where c.granted <> excluded.granted
        returning 1""")
    values = {
        "tenant": tenant,
        "address": key(address),
        "granted": granted,
        "source": given.source,
        "actor": given.actor,
    }
    return session.execute(statement, values).first() is not None
