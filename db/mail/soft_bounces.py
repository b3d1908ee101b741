"""How many soft bounces an address had in a row."""

from collections.abc import Iterable

from sqlalchemy import text
from sqlalchemy.orm import Session

from db.mail.suppression import key


def count(session: Session, tenant: int, address: str) -> int:
    """Count one more soft bounce of an address and return how many there are since its last delivery."""
    statement = text("""
        insert into crm.soft_bounce as b (tenant_id, address, count) values (:tenant, :address, 1)
        on conflict (tenant_id, address) do update set count = b.count + 1, last_at = clock_timestamp()
        returning count""")
    return int(session.execute(statement, {"tenant": tenant, "address": key(address)}).scalar_one())


def counted(session: Session, tenant: int, addresses: Iterable[str]) -> set[str]:
    """Return which of some addresses have soft bounces that count."""
    keys = {address: key(address) for address in addresses}
    statement = text("""
        select address from crm.soft_bounce where tenant_id = :tenant and address = any(:keys)""")
    found = set(session.scalars(statement, {"tenant": tenant, "keys": sorted(set(keys.values()))}))
    return {address for address, known in keys.items() if known in found}


def forget(session: Session, tenant: int, address: str) -> None:
    """Start counting again: a mail was delivered, or the address's suppression was lifted."""
    statement = text("delete from crm.soft_bounce where tenant_id = :tenant and address = :address")
    session.execute(statement, {"tenant": tenant, "address": key(address)})
