"""What becomes of a mail: each outcome is a type that can save itself, in one transaction."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, Protocol

from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from activity.event import Event
from activity.settings import settings
from db.engine import EVERY_TENANT, begin
from db.mail import suppression
from db.mail.suppression import Provenance
from db.sequences import due, limits, messages
from db.sequences.due import Move
from db.sequences.limits import Mailbox
from db.sequences.messages import AcceptedMessage, MarkedMessage
from producers.mail import consequences
from producers.mail.enrollments import SOURCE, finished, stop
from producers.mail.event import BounceType
from producers.sequences import events
from producers.sequences.mail import ComposedMail, Outgoing
from producers.sequences.sending.gate import after
from producers.sequences.sending.smtp import Refused
from worker.emit import emit

_MOST_TRIES = 10
LONGEST_WAIT_S = 4 * 3600.0
_SAVED_BEFORE = "saved before"  # another worker holds the mail by now


class Outcome(Protocol):
    """What became of a mail."""

    @property
    def out(self) -> Outgoing:
        """The mail."""

    def save(self, session: Session) -> str:
        """Save the outcome in the session's transaction, and return the word that it is counted by."""


class AcceptedMail(NamedTuple):
    """The mail server accepted the mail."""

    out: Outgoing
    mail: ComposedMail
    box: Mailbox
    answer: str

    def save(self, session: Session) -> str:
        """Move the enrollment on."""
        _save_accepted(session, [self])
        return "sent"


class RefusedMail(NamedTuple):
    """The mail server answered 4xx or 5xx to the mail."""

    out: Outgoing
    mail: ComposedMail
    refused: Refused

    def save(self, session: Session) -> str:
        """Defer the mail after a 4xx; after a 5xx it bounced."""
        if self.refused.permanent:
            return _bounce(session, self, self.refused.verdict.bounce_type)
        return _defer(session, self.out, self.mail, str(self.refused), self.refused.status)


class DroppedMail(NamedTuple):
    """The connection ended before the content did."""

    out: Outgoing
    mail: ComposedMail
    reason: str

    def save(self, session: Session) -> str:
        """Defer the mail."""
        return _defer(session, self.out, self.mail, self.reason, None)


class HeldMail(NamedTuple):
    """The mail server refused the mailbox itself at the end of the mail: no step and no try is used up."""

    out: Outgoing
    mail: ComposedMail
    reason: str

    def save(self, session: Session) -> str:
        """Note why the mail was not sent; its mailbox is paused with the same reason."""
        return "held" if _conclude(session, self.out, "deferred", self.reason, self.mail) else _SAVED_BEFORE


class UndecidedMail(NamedTuple):
    """The connection ended before the mail server's answer: it may have accepted the mail."""

    out: Outgoing
    mail: ComposedMail
    reason: str

    def save(self, session: Session) -> str:
        """Leave the mail unknown, and go on with the next step."""
        if not _conclude(session, self.out, "unknown", self.reason, self.mail):
            return _SAVED_BEFORE
        message = messages.by_row(session, self.out.row_id)
        if message is not None:
            emit(session, events.undecided(message, f"unknown: {self.reason}"))
        _advance(session, self.out)
        return "unknown"


class UnwritableMail(NamedTuple):
    """The mail cannot be written."""

    out: Outgoing
    reason: str

    def save(self, session: Session) -> str:
        """End the enrollment: the mail is not sent, and neither are those that build on it."""
        out, why = self.out, f"step {self.out.step}: {self.reason}"
        if not _conclude(session, out, "skipped", self.reason):
            return _SAVED_BEFORE
        skipped = events.skipped(out.due, out.step, self.reason)
        emit(session, [skipped, finished(out.due, out.step, why, out.due.sent)])
        due.move(session, [_move(out, None, state="finished", reason=why)])
        return "skipped"


class RequeuedMail(NamedTuple):
    """Something changed since the gate."""

    out: Outgoing

    def save(self, session: Session) -> str:
        """Have the gate judge anew, at once; no change where another worker holds the claim by now."""
        due.move(session, [_move(self.out, datetime.now(UTC), self.out.due.attempt)])
        return "given back"


def retry_until_saved(outcome: Outcome) -> str:
    """Save an outcome, again and again while the database is away, and return the word to count it by.

    A lost outcome would make the mail unknown. Raises OperationalError after half of the lease.
    """
    trying = Retrying(
        retry=retry_if_exception_type(OperationalError),
        stop=stop_after_delay(settings().send_lease_s / 2),
        wait=wait_fixed(0.5),
        reraise=True,
    )
    for attempt in trying:
        with attempt, begin("producer", outcome.out.due.tenant_id) as session:
            word = outcome.save(session)
    return word


def mark(outs: Sequence[Outgoing]) -> list[bool]:
    """Commit that the mail server is about to have these mails; False: it must not have that one."""
    margin_s = min(settings().smtp_timeout_s, settings().send_lease_s / 3)
    marks = [
        MarkedMessage(out.row_id, out.due.fence, suppression.targets(out.due.email or "")) for out in outs
    ]
    with begin("producer", EVERY_TENANT) as session:
        free = messages.mark(session, marks, margin_s)
    return [out.row_id in free for out in outs]


def save_all_accepted(accepted: Sequence[AcceptedMail]) -> list[None]:
    """Commit together that the mail server accepted these mails."""
    with begin("producer", EVERY_TENANT) as session:
        _save_accepted(session, accepted)
    return [None] * len(accepted)


def _save_accepted(session: Session, accepted: Sequence[AcceptedMail]) -> None:
    """Save mails as sent and move their enrollments on; no change to what another worker holds by now."""
    accepted = sorted(accepted, key=lambda one: one.out.due.id)  # enrollments are always moved in this order
    moves = {one.out.due.id: _next(one.out) for one in accepted}
    saved, moved = messages.save_accepted(
        session,
        [
            AcceptedMessage(
                one.out.row_id, one.out.due.fence, one.answer[:1000], one.mail.subject, moves[one.out.due.id]
            )
            for one in accepted
        ],
    )
    new = [one for one in accepted if one.out.row_id in saved]
    ends = _ends([one.out for one in new if one.out.due.id in moved], moves, sent=1)
    emit(session, [*(events.sent(one.out, one.mail, one.box) for one in new), *ends])
    for box in {one.box.id for one in new if one.box.failures}:
        limits.reset_failures(session, box)


def _advance(session: Session, out: Outgoing) -> None:
    """Move an enrollment to its next step or its end without the mail, unless it was stopped meanwhile."""
    moves = {out.due.id: _next(out)}
    if due.move(session, list(moves.values())):
        emit(session, _ends([out], moves))


def _ends(moved: Sequence[Outgoing], moves: Mapping[int, Move], sent: int = 0) -> list[Event]:
    """Return the events of the enrollments that ended by their moves; `sent` is what their last step adds."""
    ended = [out for out in moved if moves[out.due.id].state == "finished"]
    return [finished(out.due, moves[out.due.id].step, "completed", out.due.sent + sent) for out in ended]


def _next(out: Outgoing) -> Move:
    step, wait = after(out.definition, out.step)
    if wait or out.definition.step(step) is not None:
        return Move(out.due.id, out.due.fence, step, datetime.now(UTC) + wait)
    return Move(out.due.id, out.due.fence, step, None, state="finished", reason="completed")


def _move(
    out: Outgoing,
    due_at: datetime | None,
    attempt: int = 0,
    *,
    state: str = "active",
    reason: str | None = None,
) -> Move:
    """Return the move that leaves an enrollment at its step."""
    return Move(out.due.id, out.due.fence, out.step, due_at, attempt, state, reason)


def _conclude(
    session: Session, out: Outgoing, state: str, reason: str, mail: ComposedMail | None = None
) -> bool:
    subject = None if mail is None else mail.subject
    return messages.conclude(session, out.row_id, out.due.fence, state, reason, subject)


def _bounce(session: Session, one: RefusedMail, kind: BounceType) -> str:
    out, tenant, address = one.out, one.out.due.tenant_id, one.out.due.email or ""
    if not _conclude(session, out, "bounced", str(one.refused), one.mail):
        return _SAVED_BEFORE
    event = events.bounced(out, one.mail, one.refused, kind)
    emit(session, event)
    given = Provenance(SOURCE, cause_id=event.event_id, note=str(one.refused)[:1000])
    if consequences.bounced(session, tenant, address, kind, given):
        stop(session, tenant, out.due.contact_id, "bounced", cause_id=event.event_id)
    else:
        _advance(session, out)
    return "bounced"


def _defer(session: Session, out: Outgoing, mail: ComposedMail, reason: str, status: str | None) -> str:
    """Try again later, each time after twice as long; after the last try it is a soft bounce."""
    attempt = out.due.attempt + 1
    if attempt >= _MOST_TRIES:
        given_up = Refused(451, f"given up after {attempt} tries: {reason}")
        return _bounce(session, RefusedMail(out, mail, given_up), "soft")
    if not _conclude(session, out, "deferred", reason, mail):
        return _SAVED_BEFORE
    emit(session, events.deferred(out, mail, reason, status, attempt))
    wait_s = min(settings().smtp_retry_s * 2 ** (attempt - 1), LONGEST_WAIT_S)
    due_at = datetime.now(UTC) + timedelta(seconds=wait_s)
    due.move(session, [_move(out, due_at, attempt, reason=f"put off: {reason}")])
    return "deferred"
