"""The state of mail that is being sent: due steps claimed, messages from `claimed` over `sending` to their end, mailboxes and their limits.

For transactions of the role producer that see every tenant, or the one whose mailbox it is.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import text
from sqlalchemy.orm import Session

from db.claim import Claimed, Queue, claim
from db.engine import driver, driver_errors
from db.rows import as_rows


class Earlier(NamedTuple):
    """An e-mail that the enrolment has already, in whatever state."""

    step: int
    state: str
    message_id: str
    subject: str | None


class Due(NamedTuple):
    """A claimed enrolment and what the gate needs to know of it."""

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
    fields: Mapping[str, Any]
    account_id: str | None
    account_name: str | None
    account_domain: str | None
    account_fields: Mapping[str, Any] | None
    consent: bool | None
    gone: bool  # the contact was deleted
    earlier: tuple[Earlier, ...] = ()


class Mailbox(NamedTuple):
    """A mailbox with its server and its limits, locked by the transaction that read it."""

    id: int
    tenant_id: int
    address: str
    name: str
    host: str
    port: int
    security: str
    username: str | None
    zone: str
    paused: bool
    paused_until: datetime | None
    paused_reason: str | None
    failures: int
    per_minute: int | None
    per_day: int | None
    spacing_seconds: float
    jitter: float
    recent: Sequence[datetime]
    day: date | None
    day_count: int
    next_at: datetime | None
    queue_at: datetime | None


class Limit(NamedTuple):
    """The limits of a whole workspace, locked by the transaction that read them."""

    tenant_id: int
    per_minute: int | None
    per_day: int | None
    recent: Sequence[datetime]
    day: date | None
    day_count: int
    queue_at: datetime | None


class Move(NamedTuple):
    """Where an enrolment goes from a claim."""

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
select e.id, e.tenant_id, e.sequence_id, e.version, e.mailbox_id, e.step, e.attempt, e.sent, e.fence, s.name, s.paused,
  e.contact_id, coalesce(c.name, ''), c.email, c.owner_email, coalesce(c.fields, '{}'), c.account_id, a.name, a.domain, a.fields,
  k.granted, c.id is null,
  (select json_agg(json_build_array(m.step, m.state, m.message_id, m.subject) order by m.step)
     from crm.message m where m.enrolment_id = e.id)
from unnest(cast(:ids as bigint[])) as claimed(id) join crm.enrolment e using (id) join crm.sequence s on s.id = e.sequence_id
left join crm.contact c on c.tenant_id = e.tenant_id and c.id = e.contact_id
left join crm.account a on a.tenant_id = c.tenant_id and a.id = c.account_id
left join crm.consent k on k.tenant_id = e.tenant_id and k.address = lower(c.email)
order by e.id""")


def claim_due(session: Session, lease_s: float, limit: int) -> list[Due]:
    """Claim enrolments whose next step is due, and return them with what the gate needs."""
    claimed = claim(session, queue(lease_s), limit)
    rows = session.execute(_FACTS, {"ids": [row.id for row in claimed]}) if claimed else ()
    return [Due._make((*row[:-1], tuple(Earlier._make(made) for made in row[-1] or ()))) for row in rows]


_MAILBOX = ", ".join(Mailbox._fields)
_LIMIT = ", ".join(Limit._fields)


def lock_mailboxes(session: Session, ids: Iterable[int]) -> dict[int, Mailbox]:
    """Return mailboxes by id; no other transaction counts against their limits until this one ends."""
    query = text(
        f"select {_MAILBOX} from crm.mailbox where id = any(:ids) order by id for update"
    )  # columns of ours
    return {row.id: Mailbox._make(row) for row in session.execute(query, {"ids": sorted(set(ids))})}


def lock_limits(session: Session, tenants: Iterable[int]) -> dict[int, Limit]:
    """Return the limits of workspaces that have some, locked like mailboxes."""
    query = text(
        f"select {_LIMIT} from crm.sending_limit where tenant_id = any(:ids) order by tenant_id for update"
    )  # columns of ours
    return {row.tenant_id: Limit._make(row) for row in session.execute(query, {"ids": sorted(set(tenants))})}


def count_mailbox(session: Session, box: Mailbox) -> None:
    """Keep what was counted against a mailbox's limits, and that its pause is over where it is."""
    statement = text("""update crm.mailbox set recent = :recent, day = :day, day_count = :day_count, next_at = :next_at,
                          queue_at = :queue_at, paused = :paused, paused_until = :paused_until,
                          paused_reason = :paused_reason where id = :id""")
    session.execute(statement, {**box._asdict(), "recent": list(box.recent)})


def count_limit(session: Session, limit: Limit) -> None:
    """Keep what was counted against a workspace's limits."""
    statement = text("""update crm.sending_limit set recent = :recent, day = :day, day_count = :day_count, queue_at = :queue_at
                         where tenant_id = :tenant_id""")
    session.execute(statement, {**limit._asdict(), "recent": list(limit.recent)})


_MOVE = text("""
update crm.enrolment e set step = m.step, due_at = m.due_at, attempt = m.attempt, state = m.state, reason = m.reason,
       changed_at = clock_timestamp()
  from unnest(cast(:id as bigint[]), cast(:fence as int[]), cast(:step as int[]), cast(:due_at as timestamptz[]), cast(:attempt as int[]),
         cast(:state as text[]), cast(:reason as text[])) as m(id, fence, step, due_at, attempt, state, reason)
 where e.id = m.id and e.fence = m.fence and e.state = 'active' returning e.id""")


def move(session: Session, moves: Sequence[Move]) -> set[int]:
    """End claims: each enrolment goes where its move says. Returns the ids that were still ours to move."""
    if not moves:
        return set()
    columns = zip(*moves, strict=True)
    return set(
        session.scalars(
            _MOVE, {name: list(column) for name, column in zip(Move._fields, columns, strict=True)}
        )
    )


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
_CLAIM_MESSAGES = text(f"""
insert into crm.message as m ({_COLUMNS}, state)
select {_COLUMNS}, 'claimed' from json_to_recordset(cast(:messages as json)) as n({_TYPED})
on conflict on constraint one_mail_a_step do update
   set state = 'claimed', fence = excluded.fence, recipient = excluded.recipient, mailbox_id = excluded.mailbox_id,
       variant = excluded.variant, claimed_at = clock_timestamp() where m.state in ('claimed', 'deferred')
returning enrolment_id, id""")  # columns of ours


def claim_messages(session: Session, messages: Sequence[NewMessage]) -> dict[int, int]:
    """Keep messages as claimed, or claim them anew; return their row ids by enrolment, without those that reached the mail server."""
    if not messages:
        return {}
    rows = session.execute(_CLAIM_MESSAGES, {"messages": as_rows(message._asdict() for message in messages)})
    return {row.enrolment_id: row.id for row in rows}


class Marked(NamedTuple):
    """A message whose whole mail the mail server is about to have; `targets` are what would block its recipient."""

    id: int
    fence: int
    targets: Sequence[str]


class Taken(NamedTuple):
    """A message that the mail server took, with its answer, and where its enrolment goes."""

    id: int
    fence: int
    answer: str
    subject: str
    move: Move


# Rows are named by arrays and scalar subqueries, so that each is found by its key whatever the tables' statistics say: joins went through
# all that was waiting.
_MARK = b"""
update crm.message m set state = 'sending', sending_at = clock_timestamp()
  from json_to_recordset(%(marks)s::json) as w(id bigint, fence int, targets text[])
 where m.id = any(%(ids)s::bigint[]) and m.id = w.id and m.fence = w.fence and m.state = 'claimed'
   and (select e.fence = w.fence and e.state = 'active' and e.due_at > clock_timestamp() + %(margin)s::interval
          from crm.enrolment e where e.id = m.enrolment_id)
   and (select true from crm.suppression s where s.tenant_id = m.tenant_id and s.target = any(w.targets) limit 1) is null
returning m.id"""


def mark(session: Session, marks: Sequence[Marked], margin_s: float) -> set[int]:
    """Say which messages the mail server is about to have, and return the row ids of those that may go.

    It is the gate's last look: still claimed by us, not stopped, not suppressed, with time enough left to end them.
    """
    values = {
        "margin": timedelta(seconds=margin_s),
        "marks": as_rows(mark._asdict() for mark in marks),
        "ids": [mark.id for mark in marks],
    }
    with driver_errors():
        return {id for (id,) in driver(session).execute(_MARK, values, prepare=True)}


_KEEP_SENT = b"""
with taken as (
  update crm.message m set state = 'sent', reason = t.answer, subject = t.subject, sent_at = clock_timestamp()
    from json_to_recordset(%(taken)s::json) as t(id bigint, fence int, answer text, subject text)
   where m.id = any(%(ids)s::bigint[]) and m.id = t.id and m.fence = t.fence and m.state in ('sending', 'unknown') returning m.id),
moved as (
  update crm.enrolment e set step = m.step, due_at = m.due_at, attempt = 0, state = m.state, reason = m.reason, sent = e.sent + 1,
         changed_at = clock_timestamp()
    from json_to_recordset(%(moves)s::json)
           as m(message bigint, id bigint, fence int, step int, due_at timestamptz, state text, reason text)
    join taken t on t.id = m.message
   where e.id = any(%(enrolments)s::bigint[]) and e.id = m.id and e.fence = m.fence and e.state = 'active' returning e.id)
select array(select id from taken), array(select id from moved)"""


def keep_sent(session: Session, sent: Sequence[Taken]) -> tuple[set[int], set[int]]:
    """Keep messages as sent and move their enrolments on; return the row ids of both, without what another worker holds by now."""
    values = {
        "taken": as_rows(
            {"id": one.id, "fence": one.fence, "answer": one.answer, "subject": one.subject} for one in sent
        ),
        "ids": [one.id for one in sent],
        "moves": as_rows({"message": one.id, **one.move._asdict()} for one in sent),
        "enrolments": [one.move.id for one in sent],
    }
    with driver_errors():
        ((kept, moved),) = driver(session).execute(_KEEP_SENT, values, prepare=True)
    return set(kept), set(moved)


_CONCLUDE = text("""
update crm.message set state = :state, reason = :reason, subject = coalesce(:subject, subject)
 where id = :id and fence = :fence and state in ('claimed', 'sending', 'unknown') returning 1""")


def conclude(
    session: Session, message: int, fence: int, state: str, reason: str, subject: str | None = None
) -> bool:
    """Keep how a message ended or that it was put off; False where another worker holds it by now."""
    values = {"id": message, "fence": fence, "state": state, "reason": reason[:1000], "subject": subject}
    return session.execute(_CONCLUDE, values).first() is not None


_GIVE_UP = text("""
with lost as (
  select id from crm.message where state = 'sending' and sending_at < statement_timestamp() - cast(:lease as interval)
   order by sending_at limit :limit for update skip locked)
update crm.message m set state = 'unknown', reason = 'its worker ended before the mail server''s answer was kept'
  from lost where m.id = lost.id returning m.id""")


def give_up_undecided(session: Session, lease_s: float, limit: int = 100) -> list[int]:
    """Mark as unknown what has been `sending` for longer than the lease, and return the row ids."""
    return list(session.scalars(_GIVE_UP, {"lease": timedelta(seconds=lease_s), "limit": limit}))


def pause_mailbox(session: Session, box: int, until: datetime | None, reason: str) -> bool:
    """Pause a mailbox that is not paused; return whether it was this call that did."""
    statement = text("""update crm.mailbox set paused = true, paused_until = :until, paused_reason = :reason, failures = failures + 1
                         where id = :id and not paused returning 1""")
    return session.execute(statement, {"id": box, "until": until, "reason": reason[:500]}).first() is not None


def give_back(session: Session, box: Mailbox, count: int) -> None:
    """Take mails that were not sent off the counts of the limits again."""
    values = {"id": box.id, "tenant": box.tenant_id, "count": count}
    undone = "day_count = greatest(0, day_count - :count), recent = trim_array(recent, least(:count, cardinality(recent)))"
    session.execute(text(f"update crm.mailbox set {undone} where id = :id"), values)  # a constant
    session.execute(
        text(f"update crm.sending_limit set {undone} where tenant_id = :tenant"), values
    )  # as above


def forget_failures(session: Session, box: int) -> None:
    """The server answers again: the next pause is a short one."""
    session.execute(text("update crm.mailbox set failures = 0 where id = :id and failures > 0"), {"id": box})


def has_undecided(session: Session, lease_s: float) -> bool:
    """Return whether a mail was given to a server by a worker that did not come back within its lease."""
    statement = text("""
        select exists (select from crm.message where state = 'sending'
                          and sending_at < statement_timestamp() - cast(:lease as interval))""")
    return bool(session.execute(statement, {"lease": timedelta(seconds=lease_s)}).scalar_one())
