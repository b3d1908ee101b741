"""Sequences, their versions, and the contacts enrolled in them.

Every function is for a transaction that names the tenant it is given (`db.engine.begin`).
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import text
from sqlalchemy.orm import Session

from activity.errors import ActivityError


class SequenceNotFound(ActivityError):
    """No sequence of the workspace has this id or name."""


class SequenceRow(NamedTuple):
    """A sequence: what new enrollments start with, and whether it is paused."""

    id: int
    name: str
    mailbox_id: int
    version: int
    paused: bool


class Enrollment(NamedTuple):
    """A contact's way through a sequence, as far as others need to know it."""

    id: int
    tenant_id: int
    sequence_id: int
    sequence: str
    contact_id: str
    account_id: str | None
    contact_name: str
    step: int
    sent: int


_SEQUENCE = "select id, name, mailbox_id, version, paused from crm.sequence where tenant_id = :tenant"
_FIND = text(f"{_SEQUENCE} and (name = :name or id = :id) order by name = :name desc limit 1")
_LIST = text(f"{_SEQUENCE} order by name")
_SAVE = text("""
insert into crm.sequence as s (tenant_id, name, mailbox_id, version) values (:tenant, :name, :mailbox, 1)
on conflict (tenant_id, name) do update set version = s.version + 1, mailbox_id = excluded.mailbox_id""")
_SAVE_VERSION = text("""
insert into crm.sequence_version (tenant_id, sequence_id, version, definition, saved_by)
select tenant_id, id, version, cast(:definition as json), :by from crm.sequence
 where tenant_id = :tenant and name = :name""")


def save(session: Session, tenant: int, name: str, mailbox_id: int, definition: str, by: str) -> SequenceRow:
    """Save a definition (JSON text) as the sequence's next version.

    Those enrolled go on with the version they started with.
    """
    values = {"tenant": tenant, "name": name, "mailbox": mailbox_id, "definition": definition, "by": by}
    session.execute(_SAVE, values)
    session.execute(_SAVE_VERSION, values)
    return find(session, tenant, name)


def find(session: Session, tenant: int, ref: str | int) -> SequenceRow:
    """Return the sequence with this name or id. Raises SequenceNotFound."""
    number = int(ref) if isinstance(ref, int) or (ref.isascii() and ref.isdigit() and len(ref) < 18) else None
    row = session.execute(_FIND, {"tenant": tenant, "name": str(ref), "id": number}).one_or_none()
    if row is None:
        raise SequenceNotFound(f"no sequence {ref!r}: `activity sequence list` shows those there are")
    return SequenceRow._make(row)


def list_all(session: Session, tenant: int) -> list[SequenceRow]:
    """Return the workspace's sequences by name."""
    return [SequenceRow._make(row) for row in session.execute(_LIST, {"tenant": tenant})]


def definition(session: Session, sequence_id: int, version: int) -> str:
    """Return the definition of one version, as JSON text."""
    query = text("""
        select definition::text from crm.sequence_version
         where sequence_id = :id and version = :version""")
    return str(session.scalar(query, {"id": sequence_id, "version": version}))


_PAUSE = text("update crm.sequence set paused = :paused where tenant_id = :tenant and id = :id")
_WAKE = text("""
update crm.enrolment set due_at = clock_timestamp(), reason = null
 where tenant_id = :tenant and sequence_id = :id and state = 'active' and due_at is null""")


def set_paused(session: Session, tenant: int, sequence_id: int, paused: bool) -> None:
    """Pause a sequence, or resume it: the enrollments that waited for that are due now."""
    values = {"tenant": tenant, "id": sequence_id, "paused": paused}
    session.execute(_PAUSE, values)
    if not paused:
        session.execute(_WAKE, values)


_ENROLL = text("""
with made as (
  insert into crm.enrolment (tenant_id, sequence_id, version, contact_id, mailbox_id, due_at, enrolled_by)
  select s.tenant_id, s.id, s.version, c.id, s.mailbox_id, clock_timestamp(), :by
    from crm.sequence s join crm.contact c on c.tenant_id = s.tenant_id and c.id = any(:contacts)
   where s.tenant_id = :tenant and s.id = :sequence order by c.id
  on conflict on constraint enrolled_once do nothing
  returning id, tenant_id, sequence_id, contact_id, step, sent)
select m.id, m.tenant_id, m.sequence_id, s.name, m.contact_id, c.account_id, c.name, m.step, m.sent
  from made m
  join crm.sequence s on s.id = m.sequence_id
  join crm.contact c on c.tenant_id = m.tenant_id and c.id = m.contact_id
 order by m.id""")


def enroll(
    session: Session, tenant: int, sequence_id: int, contacts: Sequence[str], by: str
) -> list[Enrollment]:
    """Enroll contacts, due now.

    Return the new enrollments: none for a contact that was ever enrolled in it, or that does not exist.
    """
    values = {"tenant": tenant, "sequence": sequence_id, "contacts": list(contacts), "by": by}
    return [Enrollment._make(row) for row in session.execute(_ENROLL, values)]


# Locked in the order of their ids, so that two of these wait for each other.
# The raised fence ends the claim of the worker that holds it.
_STOP = text("""
with stopping as (
  select id from crm.enrolment
   where tenant_id = :tenant and contact_id = :contact and state = 'active'
     and (cast(:sequence as bigint) is null or sequence_id = :sequence) order by id for update),
stopped as (
  update crm.enrolment e
     set state = 'finished', reason = :reason, due_at = null, fence = e.fence + 1,
         changed_at = clock_timestamp()
    from stopping where e.id = stopping.id
  returning e.id, e.tenant_id, e.sequence_id, e.contact_id, e.step, e.sent)
select d.id, d.tenant_id, d.sequence_id, s.name, d.contact_id, c.account_id, coalesce(c.name, ''),
       d.step, d.sent
  from stopped d
  join crm.sequence s on s.id = d.sequence_id
  left join crm.contact c on c.tenant_id = d.tenant_id and c.id = d.contact_id
 order by d.id""")


def stop(
    session: Session, tenant: int, contact_id: str, reason: str, sequence_id: int | None = None
) -> list[Enrollment]:
    """Finish the contact's enrollments, or the one in `sequence_id`; return those that this finished."""
    values = {"tenant": tenant, "contact": contact_id, "reason": reason, "sequence": sequence_id}
    return [Enrollment._make(row) for row in session.execute(_STOP, values)]


class Status(NamedTuple):
    """How many enrollments or messages of a sequence are in one state, for one reason."""

    sequence: str
    kind: str  # enrolment or message
    state: str
    reason: str | None
    number: int
    next_at: datetime | None


_STATUS = text("""
select s.name, 'enrolment', e.state, e.reason, count(*), min(e.due_at)
  from crm.enrolment e join crm.sequence s on s.id = e.sequence_id
 where e.tenant_id = :tenant and (cast(:sequence as bigint) is null or s.id = :sequence)
 group by 1, 3, 4
union all
select s.name, 'message', m.state, case when m.state = 'sent' then null else m.reason end, count(*), null
  from crm.message m join crm.sequence s on s.id = m.sequence_id
 where m.tenant_id = :tenant and (cast(:sequence as bigint) is null or s.id = :sequence)
 group by 1, 3, 4
order by 1, 2, 3, 5 desc""")


def status(session: Session, tenant: int, sequence_id: int | None = None) -> list[Status]:
    """Return how many enrollments and messages are in each state, and why."""
    rows = session.execute(_STATUS, {"tenant": tenant, "sequence": sequence_id})
    return [Status._make(row) for row in rows]
