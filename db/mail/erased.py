"""Mails whose contacts were erased: what is left of them is the hash of whom they went to."""

from sqlalchemy import text
from sqlalchemy.orm import Session


def target(session: Session, tenant: int, message: int) -> str | None:
    """Return what the ledger has in place of a mail's recipient, or None where the mail is not known."""
    statement = text("select target from crm.erased_mail where tenant_id = :tenant and id = :message")
    found: str | None = session.scalar(statement, {"tenant": tenant, "message": message})
    return found
