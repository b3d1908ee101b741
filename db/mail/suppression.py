"""The ledger of who may not be written to: every reason of an address or a domain, side by side.

Nothing is deleted: what is lifted stays, with who lifted it. Addresses are compared as
activity.address.canonical spells them; what stands against an erased person's is kept under a keyed hash.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Literal, NamedTuple, get_args
from uuid import UUID

import msgspec
from sqlalchemy import text
from sqlalchemy.orm import Session

from activity.address import canonical

Reason = Literal["hard_bounce", "soft_bounces", "invalid_address", "complaint", "unsubscribed", "manual"]
REASONS: tuple[Reason, ...] = get_args(Reason)
_LONGEST = 320  # characters of an address


class Suppression(NamedTuple):
    """One reason not to write to an address or a domain; it counts until it is lifted."""

    id: int
    target: str
    reason: Reason
    note: str | None
    source: str
    actor: str
    cause_id: UUID | None  # the event that made it
    added_at: datetime
    lifted_at: datetime | None
    lifted_by: str | None
    lift_note: str | None


class Provenance(NamedTuple):
    """Where a suppression or a consent comes from, who gave it, in which words, and the event that tells."""

    source: str
    actor: str = "system"
    note: str | None = None
    cause_id: UUID | None = None


class Standing(NamedTuple):
    """What the ledger knows of an address now. `consent` is None where nobody gave or withdrew it."""

    reasons: tuple[Reason, ...] = ()
    consent: bool | None = None

    def refusal(self, *, opt_in: bool = False) -> str | None:
        """Return in words why no mail may go there, or None; with `opt_in`, consent must have been given."""
        if self.reasons:
            return f"suppressed: {', '.join(self.reasons).replace('_', ' ')}"
        if self.consent is False:
            return "consent withdrawn"
        return "no consent" if opt_in and not self.consent else None


def key(address: str) -> str:
    """Return the spelling under which an address or a domain is kept."""
    return canonical(address)[:_LONGEST]


def targets(address: str) -> list[str]:
    """Return what blocks an address when it is suppressed: itself, its domain, and those above it."""
    labels = key(address).rpartition("@")[2].split(".")
    return [*_spellings(address), *(".".join(labels[at:]) for at in range(max(1, len(labels) - 1)))]


def _spellings(address: str) -> list[str]:
    """Return its key, and how it was kept at first where that is another."""
    return list(dict.fromkeys((key(address), address.strip().lower()[:_LONGEST])))


def add(session: Session, tenant: int, target: str, reason: Reason, given: Provenance) -> int | None:
    """Suppress an address or a domain for a reason.

    Return the suppression's id, or None where it stands already.
    """
    statement = text("""
        insert into crm.suppression (tenant_id, target, reason, note, source, actor, cause_id)
        values (:tenant, :target, :reason, :note, :source, :actor, :cause_id)
        on conflict (tenant_id, target, reason) where lifted_at is null do nothing returning id""")
    values = {"tenant": tenant, "target": key(target), "reason": reason, **given._asdict()}
    id_: int | None = session.execute(statement, values).scalar_one_or_none()
    return id_


def lift(
    session: Session, tenant: int, target: str, reasons: Sequence[Reason], *, by: str, note: str | None = None
) -> list[Suppression]:
    """Lift a target's suppressions for some reasons; return those that stood."""
    statement = text(f"""
        update crm.suppression set lifted_at = clock_timestamp(), lifted_by = :by, lift_note = :note
         where tenant_id = :tenant and target = any(cast(:targets as text[]) || crm.erased(:tenant, :target))
           and reason = any(:reasons) and lifted_at is null
        returning {_COLUMNS}""")
    values = {
        "tenant": tenant,
        "target": key(target),
        "targets": _spellings(target),
        "reasons": list(reasons),
        "by": by,
        "note": note,
    }
    return [Suppression(*row) for row in session.execute(statement, values)]


_COLUMNS = ", ".join(Suppression._fields)
_HISTORY = text(f"""
select {_COLUMNS} from crm.suppression
 where tenant_id = :tenant and target = any(cast(:targets as text[]) || crm.erased(:tenant, :target))
 order by id desc limit :limit""")
_STANDING = text(f"""
select {_COLUMNS} from crm.suppression
 where tenant_id = :tenant and lifted_at is null and (cast(:before as bigint) is null or id < :before)
 order by id desc limit :limit""")


def history(session: Session, tenant: int, address: str, limit: int = 1000) -> list[Suppression]:
    """Return all that was ever recorded of an address or its domains, the newest first."""
    values = {"tenant": tenant, "target": key(address), "targets": targets(address), "limit": limit}
    return [Suppression(*row) for row in session.execute(_HISTORY, values)]


def list_standing(
    session: Session, tenant: int, limit: int = 100, before: int | None = None
) -> list[Suppression]:
    """Return the suppressions that count, the newest first; `before` is the id after which to go on."""
    values = {"tenant": tenant, "limit": limit, "before": before}
    return [Suppression(*row) for row in session.execute(_STANDING, values)]


# Each address is asked for by its keys, whatever the tables' statistics tell.
_CHECK = text("""
with w as materialized (
  select *, crm.erased(tenant_id, targets[1]) as erased
    from json_to_recordset(cast(:wanted as json)) as r(tenant_id int, address text, targets text[]))
select w.tenant_id, w.address,
       array(select distinct s.reason from crm.suppression s
              where s.tenant_id = w.tenant_id and s.target = any(w.targets || w.erased)
                and s.lifted_at is null
              order by s.reason) as reasons,
       (select c.granted from crm.consent c
         where c.tenant_id = w.tenant_id and c.address in (w.targets[1], w.erased)
         order by c.changed_at desc limit 1) as granted
  from w""")


def check(session: Session, tenant: int, address: str) -> Standing:
    """Return what the ledger knows of an address."""
    return check_many(session, [(tenant, address)])[tenant, address]


def check_many(session: Session, pairs: Iterable[tuple[int, str]]) -> Mapping[tuple[int, str], Standing]:
    """Return what the ledger knows of each of some (tenant, address) pairs."""
    wanted = [
        {"tenant_id": tenant, "address": address, "targets": targets(address)}
        for tenant, address in set(pairs)
    ]
    rows = session.execute(_CHECK, {"wanted": msgspec.json.encode(wanted).decode()}) if wanted else ()
    return {(row.tenant_id, row.address): Standing(tuple(row.reasons), row.granted) for row in rows}
