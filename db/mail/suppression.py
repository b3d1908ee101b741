"""Who may not be written to, and who agreed to it. Addresses and domains are compared lower-cased."""

from collections.abc import Iterable, Mapping
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session


def targets(address: str) -> list[str]:
    """Return what blocks an address when it is suppressed, the nearest first.

    Itself, its domain, those above it.
    """
    address = address.strip().lower()
    labels = address.rpartition("@")[2].split(".")
    return [address, *(".".join(labels[at:]) for at in range(max(1, len(labels) - 1)))]


def add(session: Session, tenant: int, target: str, reason: str, *, cause_id: UUID | None = None) -> bool:
    """Suppress an address or a domain until it is lifted; return whether it is new.

    A repeat keeps the first reason.
    """
    statement = text("""
        insert into crm.suppression (tenant_id, target, reason, cause_id)
        values (:tenant, :target, :reason, :cause)
        on conflict do nothing returning 1""")
    values = {"tenant": tenant, "target": target.strip().lower(), "reason": reason, "cause": cause_id}
    return session.execute(statement, values).first() is not None


def remove(session: Session, tenant: int, target: str) -> bool:
    """Lift a suppression; return whether there was one."""
    statement = text("delete from crm.suppression where tenant_id = :tenant and target = :target returning 1")
    values = {"tenant": tenant, "target": target.strip().lower()}
    return session.execute(statement, values).first() is not None


def check(session: Session, tenant: int, address: str) -> str | None:
    """Return why an address may not be written to, or None where nothing blocks it."""
    return check_many(session, [(tenant, address)]).get((tenant, address))


_CHECK = text("""
select t.tenant_id, t.address, s.reason
  from unnest(cast(:tenants as int[]), cast(:addresses as text[]), cast(:targets as text[]))
         as t(tenant_id, address, target)
  join crm.suppression s on s.tenant_id = t.tenant_id and s.target = t.target""")


def check_many(session: Session, pairs: Iterable[tuple[int, str]]) -> Mapping[tuple[int, str], str]:
    """Return the reason of each suppressed one of some (tenant, address) pairs."""
    rows = [(tenant, address, target) for tenant, address in set(pairs) for target in targets(address)]
    if not rows:
        return {}
    tenants, addresses, wanted = (list(column) for column in zip(*rows, strict=True))
    found = session.execute(_CHECK, {"tenants": tenants, "addresses": addresses, "targets": wanted})
    return {(tenant, address): reason for tenant, address, reason in found}


def count_soft_bounce(session: Session, tenant: int, address: str) -> int:
    """Count one more soft bounce of an address and return how many there are since its last delivery."""
    statement = text("""
        insert into crm.soft_bounce as b (tenant_id, address, count) values (:tenant, :address, 1)
        on conflict (tenant_id, address) do update set count = b.count + 1, last_at = clock_timestamp()
        returning count""")
    values = {"tenant": tenant, "address": address.strip().lower()}
    return int(session.execute(statement, values).scalar_one())


def soft_bounced(session: Session, tenant: int, addresses: Iterable[str]) -> set[str]:
    """Return which of some lower-cased addresses have soft bounces that count."""
    statement = text("""
        select address from crm.soft_bounce where tenant_id = :tenant and address = any(:addresses)""")
    return set(session.scalars(statement, {"tenant": tenant, "addresses": sorted(set(addresses))}))


def forget_soft_bounces(session: Session, tenant: int, address: str) -> None:
    """Start counting again: a mail was delivered."""
    statement = text("delete from crm.soft_bounce where tenant_id = :tenant and address = :address")
    session.execute(statement, {"tenant": tenant, "address": address.strip().lower()})


def set_consent(session: Session, tenant: int, address: str, granted: bool, source: str) -> None:
    """Record that the owner of an address agreed to mail, or withdrew that, and where."""
    statement = text("""
        insert into crm.consent (tenant_id, address, granted, source)
        values (:tenant, :address, :granted, :source)
        on conflict (tenant_id, address) do update
          set granted = excluded.granted, source = excluded.source, changed_at = clock_timestamp()""")
    values = {"tenant": tenant, "address": address.strip().lower(), "granted": granted, "source": source}
    session.execute(statement, values)


def consent(session: Session, tenant: int, address: str) -> bool | None:
    """Return whether the owner of an address agreed to mail; None where nothing is known."""
    statement = text("select granted from crm.consent where tenant_id = :tenant and address = :address")
    granted: bool | None = session.scalar(statement, {"tenant": tenant, "address": address.strip().lower()})
    return granted
