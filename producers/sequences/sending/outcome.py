"""What becomes of a mail, each in one transaction: marked, sent, refused, put off, unknown, skipped, given back."""

import random
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import structlog
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from activity.event import Event
from activity.settings import settings
from db.engine import EVERY_TENANT, begin
from db.mail import suppression
from db.sequences import sending, sequences
from db.sequences.sending import Mailbox, Move
from producers.mail.enrollments import stop
from producers.sequences import events
from producers.sequences.mail import Mail, Outgoing
from producers.sequences.sending.gate import after
from producers.sequences.sending.smtp import Refused, ServerDown
from worker.emit import emit

log = structlog.get_logger()

_MOST_TRIES = 10
_LONGEST_WAIT_S = 4 * 3600.0


class Sent(NamedTuple):
    """A mail that the mail server took."""

    out: Outgoing
    mail: Mail
    box: Mailbox
    answer: str


def mark(outs: Sequence[Outgoing]) -> list[bool]:
    """Commit that the server is about to have these mails; False: it must not have that one."""
    margin_s = min(settings().smtp_timeout_s, settings().send_lease_s / 3)
    marks = [
        sending.Marked(out.row_id, out.due.fence, suppression.targets(out.due.email or "")) for out in outs
    ]
    with begin("producer", EVERY_TENANT) as session:
        free = sending.mark(session, marks, margin_s)
    return [out.row_id in free for out in outs]


def keep_all_sent(sents: Sequence[Sent]) -> list[None]:
    """Commit together that the server took these mails."""
    with begin("producer", EVERY_TENANT) as session:
        _keep(session, sents)
    return [None] * len(sents)


def insist(keep: Callable[..., str], out: Outgoing, *what: Any) -> str:
    """Keep what became of a mail, again and again while the database is away: forgetting it would make it unknown."""
    trying = Retrying(
        retry=retry_if_exception_type(OperationalError),
        stop=stop_after_delay(settings().send_lease_s / 2),
        wait=wait_fixed(0.5),
        reraise=True,
    )
    for attempt in trying:
        with attempt, begin("producer", out.due.tenant_id) as session:
            word = keep(session, out, *what)
    return word


def _keep(session: Session, sents: Sequence[Sent]) -> None:
    """Keep mails as sent, say so, and move their enrolments on; what another worker holds by now stays as it is."""
    sents = sorted(sents, key=lambda one: one.out.due.id)  # enrolments are always moved in this order
    moves = {one.out.due.id: _next(one.out) for one in sents}
    taken = [
        sending.Taken(
            one.out.row_id, one.out.due.fence, one.answer[:1000], one.mail.subject, moves[one.out.due.id]
        )
        for one in sents
    ]
    kept, moved = sending.keep_sent(session, taken)
    new = [one for one in sents if one.out.row_id in kept]
    ended = [one.out for one in new if one.out.due.id in moved]
    emit(session, [*(events.sent(one.out, one.mail, one.box) for one in new), *_ends(ended, moves, sent=1)])
    for box in {one.box.id for one in new if one.box.failures}:
        sending.forget_failures(session, box)


def keep_sent(session: Session, *sent: Any) -> str:
    """Keep a mail as sent."""
    _keep(session, [Sent(*sent)])
    return "sent"


def _go_on(session: Session, out: Outgoing) -> None:
    """Move an enrolment to its next step, or to its end, without the mail; one that was stopped meanwhile stays as it is."""
    moves = {out.due.id: _next(out)}
    if sending.move(session, list(moves.values())):
        emit(session, _ends([out], moves))


def _ends(moved: Sequence[Outgoing], moves: Mapping[int, Move], sent: int = 0) -> list[Event]:
    """Return what there is to say of the enrolments that ended by their moves; `sent` is what their last step adds."""
    ended = [out for out in moved if moves[out.due.id].state == "finished"]
    return [events.ended(out.due, moves[out.due.id].step, "completed", out.due.sent + sent) for out in ended]


def _next(out: Outgoing) -> Move:
    step, wait = after(out.definition, out.step)
    if wait or out.definition.step(step) is not None:
        return Move(out.due.id, out.due.fence, step, datetime.now(UTC) + wait)
    return Move(out.due.id, out.due.fence, step, None, state="finished", reason="completed")


def keep_refused(session: Session, out: Outgoing, mail: Mail, refused: Refused) -> str:
    """Put a mail off after a 4xx; after a 5xx it bounced."""
    if not refused.lasting:
        return put_off(session, out, mail, str(refused), refused.status)
    return _bounced(session, out, mail, refused, _kind(refused))


def _kind(refused: Refused) -> str:
    """Say what a 5xx tells of the address: hard only where it is the address that is wrong, not our standing or the mail's content."""
    if refused.status is None:
        return "hard" if refused.code in (550, 551, 553) else "unknown"
    if refused.status.startswith("5.1.") or refused.status in ("5.2.1", "5.0.0"):
        return "hard"
    return "soft" if refused.status.startswith("5.2.") else "unknown"


def _bounced(session: Session, out: Outgoing, mail: Mail, refused: Refused, kind: str) -> str:
    if not sending.conclude(session, out.row_id, out.due.fence, "bounced", str(refused), mail.subject):
        return "kept before"
    event, address = events.bounced(out, mail, refused, kind), out.due.email or ""
    emit(session, event)
    if kind == "hard":
        suppression.add(session, out.due.tenant_id, address, "bounced", cause_id=event.event_id)
        stop(session, out.due.tenant_id, out.due.contact_id, "bounced", cause_id=event.event_id)
    else:
        if kind == "soft":
            suppression.count_soft_bounce(session, out.due.tenant_id, address)
        _go_on(session, out)
    return "bounced"


def put_off(session: Session, out: Outgoing, mail: Mail, reason: str, status: str | None) -> str:
    """Try again later, each time after twice as long; after the last try it is a soft bounce."""
    attempt = out.due.attempt + 1
    if attempt >= _MOST_TRIES:
        return _bounced(session, out, mail, Refused(451, f"given up after {attempt} tries: {reason}"), "soft")
    if not sending.conclude(session, out.row_id, out.due.fence, "deferred", reason, mail.subject):
        return "kept before"
    emit(session, events.deferred(out, mail, reason, status, attempt))
    wait = min(settings().smtp_retry_s * 2 ** (attempt - 1), _LONGEST_WAIT_S)
    due_at = datetime.now(UTC) + timedelta(seconds=wait)
    sending.move(
        session, [Move(out.due.id, out.due.fence, out.step, due_at, attempt, reason=f"put off: {reason}")]
    )
    return "deferred"


def keep_unknown(session: Session, out: Outgoing, mail: Mail, reason: str) -> str:
    """Say that nobody can know whether the server took a mail, and go on with the next step."""
    if not sending.conclude(session, out.row_id, out.due.fence, "unknown", reason, mail.subject):
        return "kept before"
    message = sequences.message_by_row(session, out.row_id)
    if message is not None:
        emit(session, events.undecided(message, f"unknown: {reason}"))
    _go_on(session, out)
    return "unknown"


def skip(session: Session, out: Outgoing, reason: str) -> str:
    """End the enrolment: a mail that cannot be written is not sent, and neither are those that build on it."""
    if not sending.conclude(session, out.row_id, out.due.fence, "skipped", reason):
        return "kept before"
    emit(
        session,
        [
            events.skipped(out.due, out.step, reason),
            events.ended(out.due, out.step, f"step {out.step}: {reason}", out.due.sent),
        ],
    )
    sending.move(
        session,
        [
            Move(
                out.due.id,
                out.due.fence,
                out.step,
                None,
                state="finished",
                reason=f"step {out.step}: {reason}",
            )
        ],
    )
    return "skipped"


def look_again(session: Session, out: Outgoing) -> str:
    """Something changed since the gate: let it say what, at once; where the claim is another's by now this changes nothing."""
    sending.move(session, [Move(out.due.id, out.due.fence, out.step, datetime.now(UTC), out.due.attempt)])
    return "given back"


def leave(box: Mailbox, mails: Sequence[Outgoing], down: ServerDown | None) -> None:
    """Give back what was not sent; where the server is down, pause the mailbox, longer each time."""
    if down is None:
        _give_back(box, mails, datetime.now(UTC), None)
        return
    wait = min(settings().smtp_retry_s * 2 ** min(box.failures, 20), _LONGEST_WAIT_S)
    until = None if down.lasting else datetime.now(UTC) + timedelta(seconds=wait)
    with begin("producer", box.tenant_id) as session:
        if sending.pause_mailbox(session, box.id, until, str(down)):
            emit(session, events.mailbox_paused(box, until, str(down)))
    log.warning("mailbox_paused", mailbox=box.address, reason=str(down), until=until and until.isoformat())
    _give_back(box, mails, until, f"mailbox paused: {down}")


def _give_back(box: Mailbox, mails: Sequence[Outgoing], due_at: datetime | None, reason: str | None) -> None:
    """Let others send these mails, at `due_at` or when the mailbox is resumed; they count against no limit."""
    spread = timedelta(seconds=random.random())  # noqa: S311  # no secret
    with begin("producer", box.tenant_id) as session:
        back = [
            Move(
                out.due.id,
                out.due.fence,
                out.step,
                due_at and due_at + spread,
                out.due.attempt,
                reason=reason,
            )
            for out in mails
        ]
        sending.move(session, back)
        sending.give_back(session, box, len(back))
