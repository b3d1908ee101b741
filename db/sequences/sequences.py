"""Sequences, their versions, and who is enrolled in them; the e-mails they sent, by Message-ID.

Every function is for a transaction that names the tenant it is given (`db.engine.begin`).
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from activity.errors import ActivityError


class SequenceUnknown(ActivityError):
    """No sequence of the workspace has this id or name."""


class SequenceRow(NamedTuple):
    """A sequence: what new enrolments start with, and whether it is paused."""

    id: int
    name: str
    mailbox_id: int
    version: int
    paused: bool


class Enrolment(NamedTuple):
    """A contact's way through a sequence, as far as others need to know it."""

    id: int
    sequence_id: int
    sequence: str
    contact_id: str
    account_id: str | None
    contact_name: str
    step: int
    sent: int


class Message(NamedTuple):
    """One e-mail of a sequence: whom and what it was about."""

    id: int
    tenant_id: int
    enrolment_id: int
    sequence_id: int
    sequence: str
    step: int
    variant: str
    contact_id: str
    account_id: str | None
    message_id: str  # without < and >
    thread_id: str  # the record_id of its events, whose record_type is "thread"
    recipient: str
    subject: str | None
    state: str  # claimed, sending, sent, deferred, bounced, unknown, skipped
    sent_at: datetime | None


_SEQUENCE = "select id, name, mailbox_id, version, paused from crm.sequence where tenant_id = :tenant"


def save(session: Session, tenant: int, name: str, mailbox_id: int, definition: str, by: str) -> SequenceRow:
    """Save a definition (JSON text) as the sequence's next version; those enrolled keep the version they started with."""
    values = {"tenant": tenant, "name": name, "mailbox": mailbox_id, "definition": definition, "by": by}
    session.execute(
        text("""insert into crm.sequence as s (tenant_id, name, mailbox_id, version) values (:tenant, :name, :mailbox, 1)
                on conflict (tenant_id, name) do update set version = s.version + 1, mailbox_id = excluded.mailbox_id"""),
        values,
    )
    session.execute(
        text("""insert into crm.sequence_version (tenant_id, sequence_id, version, definition, saved_by)
                select tenant_id, id, version, cast(:definition as json), :by from crm.sequence
                 where tenant_id = :tenant and name = :name"""),
        values,
    )
    return find(session, tenant, name)


def find(session: Session, tenant: int, ref: str | int) -> SequenceRow:
    """Return the sequence with this name or id. Raises SequenceUnknown."""
    number = int(ref) if isinstance(ref, int) or (ref.isascii() and ref.isdigit() and len(ref) < 18) else None
    query = text(f"{_SEQUENCE} and (name = :name or id = :id) order by name = :name desc limit 1")
    found = session.execute(query, {"tenant": tenant, "name": str(ref), "id": number}).one_or_none()
    if found is None:
        raise SequenceUnknown(f"no sequence {ref!r}: `activity sequence list` shows those there are")
    return SequenceRow(*found)


def all_of(session: Session, tenant: int) -> list[SequenceRow]:
    """Return the workspace's sequences by name."""
    return [
        SequenceRow(*row) for row in session.execute(text(f"{_SEQUENCE} order by name"), {"tenant": tenant})
    ]


def definition(session: Session, sequence_id: int, version: int) -> str:
    """Return the definition of one version, as JSON text."""
    query = text(
        "select definition::text from crm.sequence_version where sequence_id = :id and version = :version"
    )
    return str(session.scalar(query, {"id": sequence_id, "version": version}))


def set_paused(session: Session, tenant: int, sequence_id: int, paused: bool) -> None:
    """Pause a sequence, or let it go on: those that waited for that are due now."""
    values = {"tenant": tenant, "id": sequence_id, "paused": paused}
    session.execute(
        text("update crm.sequence set paused = :paused where tenant_id = :tenant and id = :id"), values
    )
    if not paused:
        session.execute(
            text("""update crm.enrolment set due_at = clock_timestamp(), reason = null
                     where tenant_id = :tenant and sequence_id = :id and state = 'active' and due_at is null"""),
            values,
        )


_ENROL = text("""
with made as (
  insert into crm.enrolment (tenant_id, sequence_id, version, contact_id, mailbox_id, due_at, enrolled_by)
  select s.tenant_id, s.id, s.version, c.id, s.mailbox_id, clock_timestamp(), :by
    from crm.sequence s join crm.contact c on c.tenant_id = s.tenant_id and c.id = any(:contacts)
   where s.tenant_id = :tenant and s.id = :sequence order by c.id
  on conflict on constraint enrolled_once do nothing
  returning id, sequence_id, contact_id, step, sent)
select m.id, m.sequence_id, s.name, m.contact_id, c.account_id, c.name, m.step, m.sent
  from made m join crm.sequence s on s.id = m.sequence_id join crm.contact c on c.tenant_id = :tenant and c.id = m.contact_id
 order by m.id""")


def enrol(
    session: Session, tenant: int, sequence_id: int, contacts: Sequence[str], by: str
) -> list[Enrolment]:
    """Enrol contacts, due now; return those that are new: not those already enrolled, ever, nor those that do not exist."""
    rows = session.execute(
        _ENROL, {"tenant": tenant, "sequence": sequence_id, "contacts": list(contacts), "by": by}
    )
    return [Enrolment(*row) for row in rows]


# Locked in the order of their ids, so that two of these wait for each other. The raised fence ends the claim of a worker that is at it.
_STOP = text("""
with stopping as (
  select id from crm.enrolment where tenant_id = :tenant and contact_id = :contact and state = 'active'
     and (cast(:sequence as bigint) is null or sequence_id = :sequence) order by id for update),
stopped as (
  update crm.enrolment e set state = 'finished', reason = :reason, due_at = null, fence = e.fence + 1, changed_at = clock_timestamp()
    from stopping where e.id = stopping.id returning e.id, e.sequence_id, e.contact_id, e.step, e.sent)
select d.id, d.sequence_id, s.name, d.contact_id, c.account_id, coalesce(c.name, ''), d.step, d.sent
  from stopped d join crm.sequence s on s.id = d.sequence_id
  left join crm.contact c on c.tenant_id = :tenant and c.id = d.contact_id order by d.id""")


def stop(
    session: Session, tenant: int, contact_id: str, reason: str, sequence_id: int | None = None
) -> list[Enrolment]:
    """Finish the contact's enrolments, or the one in `sequence_id`, and return those that were not finished before."""
    values = {"tenant": tenant, "contact": contact_id, "reason": reason, "sequence": sequence_id}
    return [Enrolment(*row) for row in session.execute(_STOP, values)]


_MESSAGE = """select m.id, m.tenant_id, m.enrolment_id, m.sequence_id, s.name, m.step, m.variant, m.contact_id, m.account_id,
  m.message_id, m.thread_id, m.recipient, m.subject, m.state, m.sent_at from crm.message m join crm.sequence s on s.id = m.sequence_id"""


def message_by_id(session: Session, message_id: str) -> Message | None:
    """Return the e-mail with this Message-ID header, given with or without < and >, in the workspace of the transaction; or None."""
    bare = message_id.strip().removeprefix("<").removesuffix(">")
    return _message(
        session.execute(text(f"{_MESSAGE} where m.message_id = :bare"), {"bare": bare}).one_or_none()
    )


def message_by_row(session: Session, row_id: int) -> Message | None:
    """Return the e-mail with this row id in the workspace of the transaction, or None."""
    return _message(session.execute(text(f"{_MESSAGE} where m.id = :id"), {"id": row_id}).one_or_none())


def _message(row: Row[Any] | None) -> Message | None:
    return None if row is None else Message._make(row)


class Status(NamedTuple):
    """How many enrolments or messages of a sequence are in one state, for one reason."""

    sequence: str
    kind: str  # enrolment or message
    state: str
    reason: str | None
    number: int
    next_at: datetime | None


_STATUS = text("""
select s.name, 'enrolment', e.state, e.reason, count(*), min(e.due_at) from crm.enrolment e join crm.sequence s on s.id = e.sequence_id
 where e.tenant_id = :tenant and (cast(:sequence as bigint) is null or s.id = :sequence) group by 1, 3, 4
union all
select s.name, 'message', m.state, case when m.state = 'sent' then null else m.reason end, count(*), null
  from crm.message m join crm.sequence s on s.id = m.sequence_id
 where m.tenant_id = :tenant and (cast(:sequence as bigint) is null or s.id = :sequence) group by 1, 3, 4
order by 1, 2, 3, 5 desc""")


def status(session: Session, tenant: int, sequence_id: int | None = None) -> list[Status]:
    """Return how many are where, and why."""
    return [Status(*row) for row in session.execute(_STATUS, {"tenant": tenant, "sequence": sequence_id})]


def unknown_messages(session: Session, tenant: int, limit: int = 100) -> list[Message]:
    """Return the e-mails of which nobody can know whether the mail server took them, the oldest first."""
    query = text(f"{_MESSAGE} where m.tenant_id = :tenant and m.state = 'unknown' order by m.id limit :limit")
    return [Message(*row) for row in session.execute(query, {"tenant": tenant, "limit": limit})]


def settle(session: Session, tenant: int, message_id: str, state: str, reason: str) -> Message | None:
    """Say how an e-mail ended that nobody could know of, by its Message-ID; return it, or None where there is none that is unknown."""
    bare = message_id.strip().removeprefix("<").removesuffix(">")
    row = session.execute(
        _SETTLE, {"tenant": tenant, "bare": bare, "state": state, "reason": reason}
    ).one_or_none()
    return None if row is None else message_by_row(session, row.id)


_SETTLE = text("""
update crm.message set state = :state, reason = :reason, sent_at = case :state when 'sent' then sending_at end
 where tenant_id = :tenant and message_id = :bare and state = 'unknown' returning id""")
