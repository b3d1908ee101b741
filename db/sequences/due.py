"""Enrollments whose next step is due: claimed with what the gate needs of them, and moved on.

For transactions of the role producer that see every tenant, or the one whose enrollments they are.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import text
from sqlalchemy.orm import Session

from db.claim import Claimed, Queue, claim


class Earlier(NamedTuple):
    """An e-mail that the enrollment has already, in whatever state."""

    step: int
    state: str
    message_id: str
    subject: str | None


class Due(NamedTuple):
    """A claimed enrollment and what the gate needs to know of it."""

    id: int
    tenant_id: int
    sequence_id: int
    version: int
    mailbox_id: int
    step: int
    attempt: int
    sent: int
    fence: int
    sequence: str
    sequence_paused: bool
    contact_id: str
    contact_name: str
    email: str | None
    owner_email: str | None
    fields: Mapping[str, object]
    account_id: str | None
    account_name: str | None
    account_domain: str | None
    account_fields: Mapping[str, object] | None
    gone: bool  # the contact was deleted
    earlier: tuple[Earlier, ...] = ()


class Move(NamedTuple):
    """Where an enrollment goes from a claim."""

    id: int
    fence: int
    step: int
    due_at: datetime | None
    attempt: int = 0
    state: str = "active"
    reason: str | None = None


def queue(lease_s: float) -> Queue[Claimed]:
    """Return the queue of due steps."""
    return Queue("crm.enrolment", Claimed, timedelta(seconds=lease_s))


_FACTS = text("""
select e.id, e.tenant_id, e.sequence_id, e.version, e.mailbox_id, e.step, e.attempt, e.sent, e.fence,
       s.name, s.paused,
       e.contact_id, coalesce(c.name, ''), c.email, c.owner_email, coalesce(c.fields, '{}'),
       c.account_id, a.name, a.domain, a.fields,
       c.id is null,
       (select json_agg(json_build_array(m.step, m.state, m.message_id, m.subject) order by m.step)
          from crm.message m where m.enrolment_id = e.id)
  from unnest(cast(:ids as bigint[])) as claimed(id)
  join crm.enrolment e using (id)
  join crm.sequence s on s.id = e.sequence_id
  left join crm.contact c on c.tenant_id = e.tenant_id and c.id = e.contact_id
  left join crm.account a on a.tenant_id = c.tenant_id and a.id = c.account_id
 order by e.id""")


def claim_due(session: Session, lease_s: float, limit: int) -> list[Due]:
    """Claim enrollments whose next step is due, and return them with what the gate needs."""
    claimed = claim(session, queue(lease_s), limit)
    rows = session.execute(_FACTS, {"ids": [row.id for row in claimed]}) if claimed else ()
    return [Due._make((*row[:-1], tuple(Earlier._make(made) for made in row[-1] or ()))) for row in rows]


_MOVE = text("""
update crm.enrolment e
   set step = m.step, due_at = m.due_at, attempt = m.attempt, state = m.state, reason = m.reason,
       changed_at = clock_timestamp()
  from unnest(cast(:id as bigint[]), cast(:fence as int[]), cast(:step as int[]),
              cast(:due_at as timestamptz[]), cast(:attempt as int[]),
              cast(:state as text[]), cast(:reason as text[]))
       as m(id, fence, step, due_at, attempt, state, reason)
 where e.id = m.id and e.fence = m.fence and e.state = 'active' returning e.id""")


def move(session: Session, moves: Sequence[Move]) -> set[int]:
    """End claims: each enrollment goes where its move tells. Return the ids whose claim still held."""
    if not moves:
        return set()
    columns = map(list, zip(*moves, strict=True))
    return set(session.scalars(_MOVE, dict(zip(Move._fields, columns, strict=True))))
