"""The e-mails of sequences, from `claimed` over `sending` to their end.

For transactions of the role producer that see every tenant, or the one whose e-mails they are.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec
from sqlalchemy import text
from sqlalchemy.orm import Session

from db.engine import driver, driver_errors
from db.sequences.due import Move


class NewMessage(NamedTuple):
    """An e-mail that the gate let pass."""

    tenant_id: int
    enrolment_id: int
    sequence_id: int
    step: int
    variant: str
    contact_id: str
    account_id: str | None
    mailbox_id: int
    message_id: str
    thread_id: str
    recipient: str
    fence: int


_TYPES = {
    "tenant_id": "int",
    "enrolment_id": "bigint",
    "sequence_id": "bigint",
    "step": "int",
    "mailbox_id": "bigint",
    "fence": "int",
}
_COLUMNS = ", ".join(NewMessage._fields)
_TYPED = ", ".join(f"{name} {_TYPES.get(name, 'text')}" for name in NewMessage._fields)
_CLAIM = text(f"""
insert into crm.message as m ({_COLUMNS}, state)
select {_COLUMNS}, 'claimed' from json_to_recordset(cast(:messages as json)) as n({_TYPED})
on conflict on constraint one_mail_a_step do update
   set state = 'claimed', fence = excluded.fence, recipient = excluded.recipient,
       mailbox_id = excluded.mailbox_id, variant = excluded.variant, claimed_at = clock_timestamp()
 where m.state in ('claimed', 'deferred')
returning enrolment_id, id""")


def claim_messages(session: Session, messages: Sequence[NewMessage]) -> dict[int, int]:
    """Store messages as claimed, or claim them anew.

    Return their row ids by enrollment, without those that reached the mail server before.
    """
    if not messages:
        return {}
    rows = session.execute(_CLAIM, {"messages": _json(message._asdict() for message in messages)})
    return {row.enrolment_id: row.id for row in rows}


class MarkedMessage(NamedTuple):
    """A message that is about to reach the mail server; `targets` are what would block its recipient."""

    id: int
    fence: int
    targets: Sequence[str]


# Rows are named by arrays and scalar subqueries, so that each is found by its key whatever the tables'
# statistics tell: joins went through all that was waiting.
_MARK = b"""
update crm.message m set state = 'sending', sending_at = clock_timestamp()
  from json_to_recordset(%(marks)s::json) as w(id bigint, fence int, targets text[])
 where m.id = any(%(ids)s::bigint[]) and m.id = w.id and m.fence = w.fence and m.state = 'claimed'
   and (select e.fence = w.fence and e.state = 'active'
               and e.due_at > clock_timestamp() + %(margin)s::interval
          from crm.enrolment e where e.id = m.enrolment_id)
   and (select true from crm.suppression s
         where s.tenant_id = m.tenant_id and s.target = any(w.targets) and s.lifted_at is null
         limit 1) is null
returning m.id"""


def mark(session: Session, marks: Sequence[MarkedMessage], margin_s: float) -> set[int]:
    """Mark messages as about to reach the mail server; return the row ids of those that may go.

    It is the gate's last look: the claim still holds with time enough left to end them, and the enrollment
    was not stopped, nor the recipient suppressed.
    """
    values = {
        "margin": timedelta(seconds=margin_s),
        "marks": _json(mark._asdict() for mark in marks),
        "ids": [mark.id for mark in marks],
    }
    with driver_errors():
        return {id for (id,) in driver(session).execute(_MARK, values, prepare=True)}


class AcceptedMessage(NamedTuple):
    """A message that the mail server accepted, with its answer, and where its enrollment goes."""

    id: int
    fence: int
    answer: str
    subject: str
    move: Move


_SAVE_ACCEPTED = b"""
with accepted as (
  update crm.message m set state = 'sent', reason = t.answer, subject = t.subject, sent_at = clock_timestamp()
    from json_to_recordset(%(accepted)s::json) as t(id bigint, fence int, answer text, subject text)
   where m.id = any(%(ids)s::bigint[]) and m.id = t.id and m.fence = t.fence
     and m.state in ('sending', 'unknown') returning m.id),
moved as (
  update crm.enrolment e
     set step = m.step, due_at = m.due_at, attempt = 0, state = m.state, reason = m.reason, sent = e.sent + 1,
         changed_at = clock_timestamp()
    from json_to_recordset(%(moves)s::json)
           as m(message bigint, id bigint, fence int, step int, due_at timestamptz, state text, reason text)
    join accepted t on t.id = m.message
   where e.id = any(%(enrolments)s::bigint[]) and e.id = m.id and e.fence = m.fence and e.state = 'active'
  returning e.id)
select array(select id from accepted), array(select id from moved)"""


def save_accepted(session: Session, accepted: Sequence[AcceptedMessage]) -> tuple[set[int], set[int]]:
    """Save messages as sent and move their enrollments on.

    Return the ids of the messages and of the enrollments that it was for, without what another worker holds
    by now.
    """
    values = {
        "accepted": _json(
            {"id": one.id, "fence": one.fence, "answer": one.answer, "subject": one.subject}
            for one in accepted
        ),
        "ids": [one.id for one in accepted],
        "moves": _json({"message": one.id, **one.move._asdict()} for one in accepted),
        "enrolments": [one.move.id for one in accepted],
    }
    with driver_errors():
        ((saved, moved),) = driver(session).execute(_SAVE_ACCEPTED, values, prepare=True)
    return set(saved), set(moved)


def _json(rows: Iterable[Mapping[str, object]]) -> str:
    return msgspec.json.encode(list(rows)).decode()


_CONCLUDE = text("""
update crm.message set state = :state, reason = :reason, subject = coalesce(:subject, subject)
 where id = :id and fence = :fence and state in ('claimed', 'sending', 'unknown') returning 1""")


def conclude(
    session: Session, message: int, fence: int, state: str, reason: str, subject: str | None = None
) -> bool:
    """Save how a message ended or that it was deferred; return False where another worker holds it by now."""
    values = {"id": message, "fence": fence, "state": state, "reason": reason[:1000], "subject": subject}
    return session.execute(_CONCLUDE, values).first() is not None


_GIVE_UP = text("""
with lost as (
  select id from crm.message
   where state = 'sending' and sending_at < statement_timestamp() - cast(:lease as interval)
   order by sending_at limit :limit for update skip locked)
update crm.message m
   set state = 'unknown', reason = 'its worker ended before the mail server''s answer was kept'
  from lost where m.id = lost.id returning m.id""")


def give_up_undecided(session: Session, lease_s: float, limit: int = 100) -> list[int]:
    """Mark as unknown what has been `sending` for longer than the lease, and return the row ids."""
    return list(session.scalars(_GIVE_UP, {"lease": timedelta(seconds=lease_s), "limit": limit}))


class SequenceMessage(NamedTuple):
    """One e-mail of a sequence: to whom and about what."""

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


_SELECT = """
select m.id, m.tenant_id, m.enrolment_id, m.sequence_id, s.name, m.step, m.variant, m.contact_id,
       m.account_id, m.message_id, m.thread_id, m.recipient, m.subject, m.state, m.sent_at
  from crm.message m join crm.sequence s on s.id = m.sequence_id"""
_BY_ROW = text(f"{_SELECT} where m.id = :id")
_UNKNOWN = text(f"{_SELECT} where m.tenant_id = :tenant and m.state = 'unknown' order by m.id limit :limit")


def by_row(session: Session, row_id: int) -> SequenceMessage | None:
    """Return the e-mail with this row id among the tenants that the transaction sees, or None."""
    row = session.execute(_BY_ROW, {"id": row_id}).one_or_none()
    return None if row is None else SequenceMessage._make(row)


def count_visit(session: Session, row_id: int, most: int) -> bool:
    """Count a visit of an e-mail's links; return False where `most` are counted already."""
    statement = text("""
        update crm.message set visits = visits + 1 where id = :id and visits < :most returning id""")
    return session.execute(statement, {"id": row_id, "most": most}).first() is not None


def list_unknown(session: Session, tenant: int, limit: int = 100) -> list[SequenceMessage]:
    """Return the e-mails that the mail server may or may not have accepted, the oldest first."""
    rows = session.execute(_UNKNOWN, {"tenant": tenant, "limit": limit})
    return [SequenceMessage._make(row) for row in rows]


_SETTLE = text("""
update crm.message
   set state = :state, reason = :reason, sent_at = case :state when 'sent' then sending_at end
 where tenant_id = :tenant and message_id = :bare and state = 'unknown' returning id""")


def settle(session: Session, tenant: int, message_id: str, state: str, reason: str) -> SequenceMessage | None:
    """Save how an unknown e-mail ended, named by its Message-ID; return it, or None where none is unknown."""
    bare = message_id.strip().removeprefix("<").removesuffix(">")
    values = {"tenant": tenant, "bare": bare, "state": state, "reason": reason}
    row = session.execute(_SETTLE, values).one_or_none()
    return None if row is None else by_row(session, row.id)


def has_undecided(session: Session, lease_s: float) -> bool:
    """Return whether a mail was given to a server by a worker that did not come back within its lease."""
    statement = text("""
        select exists (select from crm.message where state = 'sending'
                          and sending_at < statement_timestamp() - cast(:lease as interval))""")
    return bool(session.execute(statement, {"lease": timedelta(seconds=lease_s)}).scalar_one())
