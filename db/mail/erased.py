"""What is left of erased people: hashes of their addresses, by a key of the workspace."""

from collections.abc import Collection

from sqlalchemy import text
from sqlalchemy.orm import Session

from db.mail import suppression


def target(session: Session, tenant: int, message: int) -> str | None:
    """Return what the ledger has in place of a mail's recipient, or None where the mail is not known."""
    statement = text("select target from crm.erased_mail where tenant_id = :tenant and id = :message")
    found: str | None = session.scalar(statement, {"tenant": tenant, "message": message})
    return found


def note(session: Session, tenant: int, address: str) -> str:
    """Note that an address was erased; return the hash that stands for it from now on."""
    statement = text("select crm.note_erased(:tenant, :address, :key)")
    values = {"tenant": tenant, "address": address.strip().lower(), "key": suppression.key(address)}
    return str(session.execute(statement, values).scalar_one())


def hashes(session: Session, tenant: int, addresses: Collection[str]) -> dict[str, str]:
    """Return the hash of each address that was erased."""
    statement = text("""
        select address, crm.erased(:tenant, key) as hash
          from unnest(cast(:addresses as text[]), cast(:keys as text[])) a(address, key)
         where crm.is_erased(:tenant, key)""")
    known = list(set(addresses) - {""})
    values = {"tenant": tenant, "addresses": known, "keys": [suppression.key(one) for one in known]}
    return {row.address: row.hash for row in session.execute(statement, values)}
