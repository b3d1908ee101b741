"""Advance claimed runs, step after step, until the run waits, ends, or has something to send."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial

import structlog
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError
from sqlalchemy.orm import Session

from activity.errors import ActivityError
from activity.event import RecordedEvent
from db.claim import LeaseLost, claim, finish, renew
from db.engine import EVERY_TENANT, begin
from db.playbooks import runs, starts
from db.playbooks.handed_out import alert_owner
from db.playbooks.runs import RUNS, PlaybookRun
from producers.playbooks.definition import cache
from producers.playbooks.definition.conditions import InvalidExpression
from producers.playbooks.definition.document import (
    Branch,
    ChangeStage,
    Stop,
    UpdateField,
    WaitForEvent,
    WaitForTime,
    names,
    span,
)
from producers.playbooks.definition.program import Operation
from producers.playbooks.events import ended, one_line, step_completed
from producers.playbooks.facts import facts_of, record_loader
from producers.playbooks.start import ADVANCE
from producers.playbooks.steps.deliver import DeliveryFailed
from producers.playbooks.steps.effects import StepContext, StepFailed, carry_out, leaves_system, prepare
from producers.playbooks.waiting import deadline, look_back
from worker.emit import emit
from worker.nudge import nudge_after_commit

log = structlog.get_logger()

CHUNK = 50
MAX_ATTEMPTS = 8  # of one step, over about five hours
_FIRST_DELAY, _MAX_DELAY = timedelta(seconds=10), timedelta(hours=2)
_SENDERS = 8  # runs that send something at the same time


def advance_batch() -> Counter[str]:
    """Claim a chunk of due runs and advance each; an empty tally means that none was due."""
    with begin("producer", EVERY_TENANT) as session:
        claimed = claim(session, RUNS, CHUNK)
        sending = [run for run in claimed if _sends(session, run)]
    ids = {run.id for run in sending}
    tally = Counter(advance(run) for run in claimed if run.id not in ids)
    if sending:
        with ThreadPoolExecutor(_SENDERS) as pool:
            tally.update(pool.map(partial(advance, sends=True), sending))
    return tally


def _sends(session: Session, run: PlaybookRun) -> bool:
    operations = cache.program(session, run.playbook_id, run.version).operations
    return run.at < len(operations) and leaves_system(operations[run.at].step)


def advance(run: PlaybookRun, sends: bool = False) -> str:
    """Advance one claimed run and return its state, or "lost" where another worker has claimed it.

    `sends`: the step that it is at leaves the system.
    """
    try:
        outcome = _send(run) if sends else None
        with begin("producer", run.tenant_id) as session:
            return _Advance(session, run, outcome).go()
    except LeaseLost:
        return "lost"
    except DBAPIError as error:  # it was rolled back: when the lease ends, a worker tries again
        log.warning("run_not_advanced", run_id=run.id, error=type(error.orig).__name__)
        return "unfinished"


def _send(run: PlaybookRun) -> str | Exception:
    """Carry out a step that leaves the system, before the transaction that records it.

    Return what came of it, or the error. The claim is renewed first, since the run may have waited long for
    its turn: nothing is sent for a run that another worker or a person has taken, and a send ends well within
    the lease.
    """
    try:
        with begin("producer", run.tenant_id) as session:
            renew(session, RUNS, run)
            under_way = _Advance(session, run, None)
            if under_way.missing():
                return StepFailed("nothing was sent")  # the run ends before it looks at this
            send = prepare(under_way.context())
        return send()
    except LeaseLost:
        raise
    except Exception as error:  # noqa: BLE001  # whatever a step raises is what came of it: see _failure
        return error


def _failure(error: Exception) -> Exception:
    """Return why a step failed. Raises the errors of the database that pass by themselves.

    Everything else is the step's own: raised again, it would be claimed, and raised, again for ever.
    """
    if isinstance(error, ActivityError | InvalidExpression):
        return error
    if isinstance(error, DataError | IntegrityError):
        return StepFailed(f"the database refuses the value: {str(error.orig).splitlines()[0]}")
    if isinstance(error, DBAPIError):
        raise error
    log.error("playbook_step_raised", exc_info=error)
    return StepFailed(f"the step raised {type(error).__name__}: {error}")


class _Advance:
    """One run under way."""

    def __init__(self, session: Session, run: PlaybookRun, outcome: str | Exception | None) -> None:
        self.session = session
        self.run = run
        self.outcome = outcome  # of the step that left the system before
        self.program = cache.program(session, run.playbook_id, run.version)
        self.operations = self.program.operations
        self.at, self.done, self.attempts, self.state = run.at, run.done, run.attempts, run.state
        self.last_event: RecordedEvent | None = run.last_event
        self.seen_seq, self.since = run.seen_seq, run.since
        self.load = record_loader(session, run.tenant_id)

    def context(self) -> StepContext:
        """Return what the step at hand may know."""
        run = self.run
        facts = facts_of(run.subjects, run.started_by, self.last_event or run.started_by, self.load)
        facts["now"] = datetime.now(UTC)
        return StepContext(run, self.program, self.operations[self.at], facts, self.session)

    def missing(self) -> str | None:
        """Return which record of the run is gone since it started: erased, or deleted."""
        subjects = self.run.subjects
        gone = (kind for kind in self.run.found if not self.load(kind, [subjects[kind]]))
        return next(gone, None)

    def go(self) -> str:
        """Take steps until the run waits, ends or has something to send; return its state."""
        if kind := self.missing():
            self._stop_waiting()
            return self._end("cancelled", f"the {kind} is gone: erased or deleted")
        while self.at < len(self.operations):
            operation = self.operations[self.at]
            first = self.at == self.run.at and self.done == self.run.done
            if leaves_system(operation.step) and not first:
                return self._leave("running", datetime.now(UTC))
            try:
                with self.session.begin_nested():
                    state = self._take(operation)
            except LeaseLost:
                raise
            except Exception as error:  # noqa: BLE001  # see _failure
                return self._failed(_failure(error))
            if state is not None:
                return state
        return self._end("completed", None)

    def _take(self, operation: Operation) -> str | None:
        """Take one step; return the run's state where it stops there, None where it goes on."""
        step = operation.step
        if isinstance(step, Stop):
            return self._end("completed", step.reason)
        if isinstance(step, Branch):
            self.at = operation.next if operation.is_met(self.context().facts) else operation.otherwise
            return None
        if isinstance(step, WaitForTime):
            return self._wait(operation, span(step.for_))
        if isinstance(step, WaitForEvent):
            return self._wait_for_event(operation, step)
        result = self._sent() if leaves_system(step) else carry_out(self.context())
        if isinstance(step, UpdateField | ChangeStage):
            self.load = record_loader(self.session, self.run.tenant_id)  # the next steps see the new values
        self._done(operation, operation.next, result)
        return None

    def _sent(self) -> str:
        if isinstance(self.outcome, str):
            return self.outcome
        raise self.outcome or DeliveryFailed("not sent")

    def _wait(self, operation: Operation, time: timedelta) -> str | None:
        over = self.since + time
        if self.state != "waiting":
            return self._leave("waiting", over)
        self._done(operation, operation.next, since=over)
        return None

    def _wait_for_event(self, operation: Operation, step: WaitForEvent) -> str | None:
        """Look back on what was recorded meanwhile; then wait, or after the timeout go on without."""
        kind, id = self._about(step)
        tenant, wanted = self.run.tenant_id, names(step.event)
        starts.lock_workspace_shared(self.session, tenant)
        over, about = deadline(step, self.since), (kind, id)
        event = look_back(self.session, self.run, operation, about, self.since, self.seen_seq, self.load)
        if event:
            self.last_event, self.seen_seq = event, event.seq
            self._stop_waiting()
            since = max(self.since, event.recorded_at)
            self._done(operation, operation.next, f"{event.type} came", since=since)
            return None
        if self.state == "waiting":
            self._stop_waiting()
            reason = f"no {' or '.join(wanted)} within {step.within}"
            self._done(operation, operation.otherwise, reason, since=over)
            return None
        runs.wait_for(self.session, tenant, self.run.id, set(wanted), f"{kind}:{id}")
        return self._leave("waiting", over)

    def _about(self, step: WaitForEvent) -> tuple[str, str]:
        for kind in (step.about,) if step.about else ("contact", "account", "opportunity"):
            if kind in self.run.subjects:
                return kind, self.run.subjects[kind]
        raise StepFailed(f"the run is about no {step.about or 'record'}: nothing can be waited for")

    def _stop_waiting(self) -> None:
        if self.run.state == "waiting":
            runs.stop_waiting(self.session, self.run.id)

    def _done(
        self, operation: Operation, then: int, result: str | None = None, since: datetime | None = None
    ) -> None:
        """Go on behind a step; `since` is when a wait was over. What was tried again counts from now."""
        self.since = since or (datetime.now(UTC) if self.attempts else self.since)
        emit(self.session, step_completed(self.run, self.program, operation, result))
        self.at, self.done, self.attempts, self.state = then, self.done + 1, 0, "running"

    def _failed(self, error: Exception) -> str:
        """Try the step again later, or give up: an operator can retry or skip it."""
        self.attempts += 1
        why = one_line(str(error))
        if isinstance(error, DeliveryFailed) and not error.permanent and self.attempts < MAX_ATTEMPTS:
            delay = min(max(_FIRST_DELAY * 4 ** (self.attempts - 1), error.after or _FIRST_DELAY), _MAX_DELAY)
            return self._leave("running", datetime.now(UTC) + delay, f"attempt {self.attempts}: {why}")
        return self._end("failed", why)

    def _end(self, state: str, reason: str | None) -> str:
        end = ended(self.run, self.program, state, done=self.done, at=self.at, reason=reason)
        emit(self.session, end)
        if state == "failed":
            run, message = self.run, f"{self.program.name}: run {self.run.id} failed: {reason}"
            alert_owner(self.session, run.tenant_id, run.playbook_id, run.version, message, run.id)
        return self._leave(state, None, reason)

    def _leave(self, state: str, due_at: datetime | None, reason: str | None = None) -> str:
        finish(self.session, RUNS, self.run, due_at)
        columns: dict[str, object] = {
            "state": state,
            "at": self.at,
            "done": self.done,
            "attempts": self.attempts,
            "seen_seq": self.seen_seq,
            "since": self.since,
            "reason": reason,
        }
        if due_at is None:
            columns["ended_at"] = datetime.now(UTC)
        if self.seen_seq != self.run.seen_seq:
            columns["heard"] = runs.encoded(self.last_event)
        runs.update(self.session, self.run.id, **columns)
        if due_at is not None and due_at <= datetime.now(UTC):
            nudge_after_commit(self.session, ADVANCE)
        return state
