"""Claims a chunk of due steps and takes it through the gate, in one transaction. What passed comes out as mails to send."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple, TypeVar

from sqlalchemy.orm import Session

from activity.event import Event
from activity.settings import settings
from db.mail import suppression
from db.sequences import sending, sequences
from db.sequences.sending import Due, Limit, Mailbox, Move, NewMessage
from producers.sequences import events
from producers.sequences.definition import Definition, load
from producers.sequences.mail import Outgoing, message_id, names, thread_id
from producers.sequences.sending.gate import End, Hold, Passed, Send, World, judge
from producers.sequences.sending.quota import Quota
from producers.sequences.sending.window import zone_of
from producers.sequences.templates import TemplateInvalid, render
from worker.emit import emit


class Judged(NamedTuple):
    """A claimed enrolment with what the gate said."""

    due: Due
    definition: Definition
    passed: Passed


class Chunk(NamedTuple):
    """What a claim gave: the mails to send by mailbox, and how many went which way."""

    mails: Mapping[int, Sequence[Outgoing]]
    boxes: Mapping[int, Mailbox]
    tally: Counter[str]


C = TypeVar("C", Mailbox, Limit)
_definition = lru_cache(maxsize=500)(load)


def take(session: Session, limit: int) -> Chunk:
    """Claim up to `limit` due steps and let each through the gate, or keep why not."""
    now = datetime.now(UTC)
    dues = sending.claim_due(session, settings().send_lease_s, limit)
    if not dues:
        return Chunk({}, {}, Counter())
    boxes = {
        key: _awake(box, now)
        for key, box in sending.lock_mailboxes(session, (due.mailbox_id for due in dues)).items()
    }
    limits = sending.lock_limits(session, (due.tenant_id for due in dues))
    quotas = {key: _quota(box) for key, box in boxes.items()}
    shared = {key: _shared_quota(limit) for key, limit in limits.items()}
    suppressed = suppression.check_many(session, ((due.tenant_id, due.email) for due in dues if due.email))
    versions = {(due.sequence_id, due.version) for due in dues}
    definitions = {version: _definition(sequences.definition(session, *version)) for version in versions}
    judged = []
    for due in dues:
        both = [quota for quota in (quotas[due.mailbox_id], shared.get(due.tenant_id)) if quota is not None]
        definition = definitions[due.sequence_id, due.version]
        judged.append(
            Judged(
                due, definition, judge(due, definition, World(now, boxes[due.mailbox_id], both, suppressed))
            )
        )
    for key, box in boxes.items():
        sending.count_mailbox(session, _counted(box, quotas[key])._replace(next_at=quotas[key].next_at))
    for key, counts in limits.items():
        sending.count_limit(session, _counted(counts, shared[key]))
    return _keep(session, judged, boxes, now)


def _keep(session: Session, judged: Sequence[Judged], boxes: Mapping[int, Mailbox], now: datetime) -> Chunk:
    """Keep every verdict, say what is to be said, and claim the mails of what passed."""
    moves: list[Move] = []
    said: list[Event] = []
    passed: list[tuple[Judged, Send]] = []
    tally: Counter[str] = Counter()
    for one in judged:
        verdict = one.passed.verdict
        said += _tasks(one, boxes[one.due.mailbox_id], now)
        if isinstance(verdict, Send):
            passed.append((one, verdict))
        else:
            moves.append(_move(one.due, verdict))
            said += _words(one.due, verdict)
            tally["waiting" if isinstance(verdict, Hold) else "finished"] += 1
    sending.move(session, moves)
    emit(session, said)
    return Chunk(_by_mailbox(_claim(session, passed, boxes)), boxes, tally)


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


def _counted(counts: C, quota: Quota) -> C:
    """Return the row with what the quota counted."""
    return counts._replace(
        recent=quota.recent, day=quota.day, day_count=quota.day_count, queue_at=quota.queue_at
    )


def _move(due: Due, verdict: Hold | End) -> Move:
    if isinstance(verdict, Hold):
        attempt = due.attempt if verdict.step == due.step else 0
        return Move(due.id, due.fence, verdict.step, verdict.until, attempt, reason=verdict.reason)
    return Move(due.id, due.fence, verdict.step, None, state="finished", reason=verdict.reason)


def _words(due: Due, verdict: Hold | End) -> Iterator[Event]:
    if isinstance(verdict, End):
        if verdict.refused:
            yield events.skipped(due, verdict.step, verdict.reason)
        yield events.ended(due, verdict.step, verdict.reason, due.sent)


def _tasks(one: Judged, box: Mailbox, now: datetime) -> Iterator[Event]:
    for number, step in one.passed.tasks:
        try:
            title = render(step.title, names(one.due, box), html=False)
        except TemplateInvalid:
            title = step.title  # a task with a gap in its title is better than none
        yield events.task(one.due, title.strip()[:500] or "Task", number, now + timedelta(days=step.due_days))


def _claim(
    session: Session, passed: Sequence[tuple[Judged, Send]], boxes: Mapping[int, Mailbox]
) -> Iterator[Outgoing]:
    """Keep the messages of what passed, and yield them."""
    wanted = {
        one.due.id: (one, send, _message(one.due, send, boxes[one.due.mailbox_id])) for one, send in passed
    }
    made = sending.claim_messages(session, [new for _, _, new in wanted.values()])
    for enrolment, row_id in made.items():
        one, send, new = wanted[enrolment]
        yield Outgoing(
            one.due,
            one.definition,
            send.email.named(new.variant),
            send.step,
            row_id,
            new.message_id,
            new.thread_id,
        )


def _message(due: Due, send: Send, box: Mailbox) -> NewMessage:
    variant = send.email.variant(due.sequence_id, send.step, due.contact_id)
    header, thread = (
        message_id(due.tenant_id, due.id, send.step, box.address),
        thread_id(due.tenant_id, due.id),
    )
    return NewMessage(
        due.tenant_id,
        due.id,
        due.sequence_id,
        send.step,
        variant.name,
        due.contact_id,
        due.account_id,
        box.id,
        header,
        thread,
        due.email or "",
        due.fence,
    )


def _by_mailbox(mails: Iterator[Outgoing]) -> dict[int, list[Outgoing]]:
    found: dict[int, list[Outgoing]] = {}
    for out in mails:
        found.setdefault(out.due.mailbox_id, []).append(out)
    return found
