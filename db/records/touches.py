"""When accounts and contacts were last touched, as the follower of the log keeps it.

A transaction names its tenant.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal, NamedTuple

from sqlalchemy import text
from sqlalchemy.orm import Session

TouchedKind = Literal["account", "contact"]


class Touched(NamedTuple):
    """A record that can be touched."""

    kind: TouchedKind
    id: str


_KEEP = """
insert into crm.touch as t (tenant_id, kind, id, touched_at)
select :tenant, n.*
  from unnest(cast(:kinds as text[]), cast(:ids as text[]), cast(:moments as timestamptz[])) n (kind, id, at)
 order by n.kind, n.id
on conflict (tenant_id, kind, id) do update set touched_at = {moment}
 where t.touched_at is distinct from {moment}"""
_RAISE = text(_KEEP.format(moment="greatest(t.touched_at, excluded.touched_at)"))
_SET = text(_KEEP.format(moment="excluded.touched_at"))


def raise_to(session: Session, tenant: int, moments: Mapping[Touched, datetime]) -> None:
    """Note touches; one that is older than what is known changes nothing, so it is safe to repeat."""
    _keep(session, tenant, moments, again=False)


def set_to(session: Session, tenant: int, moments: Mapping[Touched, datetime | None]) -> None:
    """Note what the last touches really are; None: there is none."""
    _keep(session, tenant, moments, again=True)


def _keep(session: Session, tenant: int, moments: Mapping[Touched, datetime | None], *, again: bool) -> None:
    if not moments:
        return
    values = {
        "tenant": tenant,
        "kinds": [record.kind for record in moments],
        "ids": [record.id for record in moments],
        "moments": [moment.isoformat() if moment else "-infinity" for moment in moments.values()],
    }
    session.execute(_SET if again else _RAISE, values)
