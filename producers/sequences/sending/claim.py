"""Claims a chunk of due steps and takes it through the gate, in one transaction.

What passed comes out as mails to send.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple, TypeVar

from sqlalchemy.orm import Session

from activity.event import Event
from activity.settings import settings
from db.mail import suppression
from db.sequences import due as due_steps
from db.sequences import limits, messages, sequences
from db.sequences.due import Due, Move
from db.sequences.limits import Limit, Mailbox
from db.sequences.messages import NewMessage
from producers.mail.enrollments import finished
from producers.sequences import events
from producers.sequences.definition import SequenceDefinition, load
from producers.sequences.mail import Outgoing, message_id, names, thread_id
from producers.sequences.sending.gate import Decision, End, GateInput, Hold, Send, judge
from producers.sequences.sending.quota import Quota
from producers.sequences.sending.window import zone_of
from producers.sequences.templates import InvalidTemplate, render
from worker.emit import emit


class Judged(NamedTuple):
    """A claimed enrollment with what the gate decided."""

    due: Due
    definition: SequenceDefinition
    box: Mailbox
    decision: Decision


class Chunk(NamedTuple):
    """What a claim gave: the mails to send by mailbox, and how many went which way."""

    mails: Mapping[int, Sequence[Outgoing]]
    boxes: Mapping[int, Mailbox]
    tally: Counter[str]


_definition = lru_cache(maxsize=500)(load)


def claim_chunk(session: Session, limit: int) -> Chunk:
    """Claim up to `limit` due steps, and let each through the gate or save why not."""
    now = datetime.now(UTC)
    dues = due_steps.claim_due(session, settings().send_lease_s, limit)
    if not dues:
        return Chunk({}, {}, Counter())
    locked = limits.lock_mailboxes(session, (due.mailbox_id for due in dues))
    boxes = {key: _awake(box, now) for key, box in locked.items()}
    judged = _judged(session, dues, boxes, now)
    tally = _save(session, judged, now)
    passed = [(one, verdict) for one in judged if isinstance(verdict := one.decision.verdict, Send)]
    mails: dict[int, list[Outgoing]] = defaultdict(list)
    for out in _claim_messages(session, passed):
        mails[out.due.mailbox_id].append(out)
    return Chunk(mails, boxes, tally)


def _judged(
    session: Session, dues: Sequence[Due], boxes: Mapping[int, Mailbox], now: datetime
) -> list[Judged]:
    """Judge each enrollment, and save what that counted against the limits."""
    shared = limits.lock_limits(session, (due.tenant_id for due in dues))
    quotas = {key: _quota(box) for key, box in boxes.items()}
    shared_quotas = {key: _shared_quota(limit) for key, limit in shared.items()}
    standing = suppression.check_many(session, ((due.tenant_id, due.email) for due in dues if due.email))
    versions = {(due.sequence_id, due.version) for due in dues}
    definitions = {version: _definition(sequences.definition(session, *version)) for version in versions}
    judged = []
    for due in dues:
        box, definition = boxes[due.mailbox_id], definitions[due.sequence_id, due.version]
        both = [one for one in (quotas[box.id], shared_quotas.get(due.tenant_id)) if one is not None]
        decision = judge(due, definition, GateInput(now, box, both, standing))
        judged.append(Judged(due, definition, box, decision))
    for key, box in boxes.items():
        limits.count_mailbox(session, _counted(box, quotas[key])._replace(next_at=quotas[key].next_at))
    for key, limit in shared.items():
        limits.count_limit(session, _counted(limit, shared_quotas[key]))
    return judged


def _save(session: Session, judged: Sequence[Judged], now: datetime) -> Counter[str]:
    """Save what the gate decided with its events, and return how many wait and how many finished."""
    moves: list[Move] = []
    emitted: list[Event] = []
    tally: Counter[str] = Counter()
    for one in judged:
        emitted += _tasks(one, now)
        verdict = one.decision.verdict
        if not isinstance(verdict, Send):
            moves.append(_move(one.due, verdict))
            emitted += _events(one.due, verdict)
            tally["waiting" if isinstance(verdict, Hold) else "finished"] += 1
    due_steps.move(session, moves)
    emit(session, emitted)
    return tally


def _awake(box: Mailbox, now: datetime) -> Mailbox:
    """Return the mailbox, its pause ended where its time is over."""
    over = box.paused and box.paused_until is not None and box.paused_until <= now
    return box._replace(paused=False, paused_until=None, paused_reason=None) if over else box


def _quota(box: Mailbox) -> Quota:
    return Quota(
        box.per_minute,
        box.per_day,
        box.recent,
        box.day,
        box.day_count,
        box.queue_at,
        box.next_at,
        timedelta(seconds=box.spacing_seconds),
        box.jitter,
        zone_of((box.zone,)),
    )


def _shared_quota(limit: Limit) -> Quota:
    return Quota(
        limit.per_minute,
        limit.per_day,
        limit.recent,
        limit.day,
        limit.day_count,
        limit.queue_at,
        whose="workspace",
    )


_Counts = TypeVar("_Counts", Mailbox, Limit)


def _counted(counts: _Counts, quota: Quota) -> _Counts:
    """Return the row with what the quota counted."""
    return counts._replace(
        recent=quota.recent, day=quota.day, day_count=quota.day_count, queue_at=quota.queue_at
    )


def _move(due: Due, verdict: Hold | End) -> Move:
    if isinstance(verdict, Hold):
        attempt = due.attempt if verdict.step == due.step else 0
        return Move(due.id, due.fence, verdict.step, verdict.until, attempt, reason=verdict.reason)
    return Move(due.id, due.fence, verdict.step, None, state="finished", reason=verdict.reason)


def _events(due: Due, verdict: Hold | End) -> Iterator[Event]:
    if isinstance(verdict, End):
        if verdict.refused:
            yield events.skipped(due, verdict.step, verdict.reason)
        yield finished(due, verdict.step, verdict.reason, due.sent)


def _tasks(one: Judged, now: datetime) -> Iterator[Event]:
    for number, step in one.decision.tasks:
        try:
            title = render(step.title, names(one.due, one.box), html=False)
        except InvalidTemplate:
            title = step.title  # a task with a gap in its title is better than none
        yield events.task(one.due, title.strip()[:500] or "Task", number, now + timedelta(days=step.due_days))


def _claim_messages(session: Session, passed: Sequence[tuple[Judged, Send]]) -> Iterator[Outgoing]:
    """Store the messages of what passed as claimed, and yield them."""
    wanted = {one.due.id: (one, send, _message(one, send)) for one, send in passed}
    made = messages.claim_messages(session, [new for _, _, new in wanted.values()])
    for enrollment, row_id in made.items():
        one, send, new = wanted[enrollment]
        variant = send.email.named(new.variant)
        yield Outgoing(one.due, one.definition, variant, send.step, row_id, new.message_id, new.thread_id)


def _message(one: Judged, send: Send) -> NewMessage:
    due = one.due
    return NewMessage(
        tenant_id=due.tenant_id,
        enrolment_id=due.id,
        sequence_id=due.sequence_id,
        step=send.step,
        variant=send.email.variant(due.sequence_id, send.step, due.contact_id).name,
        contact_id=due.contact_id,
        account_id=due.account_id,
        mailbox_id=one.box.id,
        message_id=message_id(due.tenant_id, due.id, send.step, one.box.address),
        thread_id=thread_id(due.tenant_id, due.id),
        recipient=due.email or "",
        fence=due.fence,
    )
