"""Move claimed runs on: step after step in one transaction, until the run waits, ends, or has something to send."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from activity.errors import ActivityError
from activity.event import RecordedEvent
from db.claim import LeaseLost, claim, finish
from db.engine import EVERY_TENANT, begin
from db.playbooks import runs
from db.playbooks.runs import RUNS
from producers.playbooks.definition import cache
from producers.playbooks.definition.conditions import InvalidExpression
from producers.playbooks.definition.document import (
    Branch,
    ChangeStage,
    Stop,
    UpdateField,
    Wait,
    WaitForEvent,
    names,
    names_of,
    span,
)
from producers.playbooks.definition.program import Operation
from producers.playbooks.deliver import DeliveryFailed
from producers.playbooks.events import decoded, ended, step_completed
from producers.playbooks.start import ADVANCE, facts_of, loader, meets
from producers.playbooks.steps import Scene, StepFailed, carry_out, goes_out, prepare
from worker.emit import emit
from worker.nudge import nudge_after_commit

log = structlog.get_logger()

CHUNK = 50
MOST_ATTEMPTS = 8  # of one step, over about five hours
_FIRST_DELAY, _LONGEST_DELAY = timedelta(seconds=10), timedelta(hours=2)
_LOOK_BACK = 1_000  # events a run that begins to wait looks back on
_SENDERS = 8  # runs that send something at the same time


def advance_batch() -> Counter[str]:
    """Claim a chunk of due runs and move each on; an empty tally says that none was due."""
    with begin("producer", EVERY_TENANT) as session:
        rows = claim(session, RUNS, CHUNK)
        sending = [row for row in rows if _sends(session, row)]
    ids = {row.id for row in sending}
    tally = Counter(advance(row) for row in rows if row.id not in ids)
    if sending:
        with ThreadPoolExecutor(_SENDERS) as pool:
            tally.update(pool.map(_send_and_advance, sending))
    return tally


def _sends(session: Session, row: runs.ClaimedRun) -> bool:
    operations = cache.program(session, row.playbook_id, row.version).operations
    return row.at < len(operations) and goes_out(operations[row.at].step)


def _send_and_advance(row: runs.ClaimedRun) -> str:
    return advance(row, _send(row))


def advance(row: runs.ClaimedRun, outcome: str | ActivityError | None = None) -> str:
    """Move one claimed run on and return its state, or "lost" where another has it. `outcome`: of a step that was sent before."""
    try:
        with begin("producer", row.tenant_id) as session:
            return _Advance(session, row, outcome).go()
    except LeaseLost:
        return "lost"
    except DBAPIError as error:  # nothing of it happened: the lease ends, and somebody tries again
        log.warning("run_not_advanced", run_id=row.id, error=type(error.orig).__name__)
        return "unfinished"


def _send(row: runs.ClaimedRun) -> str | ActivityError:
    """Carry out a step that leaves the system, outside the transaction that records it: return what came of it, or the error."""
    try:
        with begin("producer", row.tenant_id) as session:
            send = prepare(_Advance(session, row, None).scene())
        return send()
    except (DeliveryFailed, StepFailed, InvalidExpression) as error:
        return error


class _Advance:
    """One run under way."""

    def __init__(self, session: Session, row: runs.ClaimedRun, outcome: str | ActivityError | None) -> None:
        self.session = session
        self.row = row
        self.outcome = outcome  # of the step that left the system before
        self.program = cache.program(session, row.playbook_id, row.version)
        self.operations = self.program.operations
        self.at, self.done, self.attempts, self.state = row.at, row.done, row.attempts, row.state
        self.heard: RecordedEvent | None = decoded(row.heard)
        self.seen_seq: int = row.seen_seq
        self.load = loader(session, row.tenant_id)

    def scene(self) -> Scene:
        """Return what the step at hand may know."""
        facts = facts_of(self.row, self.heard or decoded(self.row.trigger), self.load) | {
            "now": datetime.now(UTC)
        }
        return Scene(
            self.row.tenant_id, self.row, self.program, self.operations[self.at], facts, self.session
        )

    def go(self) -> str:
        """Take steps until the run waits, ends or has something to send; return its state."""
        while self.at < len(self.operations):
            first, operation = self.at == self.row.at and self.done == self.row.done, self.operations[self.at]
            if goes_out(operation.step) and not first:
                return self._leave("running", datetime.now(UTC))
            try:
                with self.session.begin_nested():
                    stays = self._take(operation)
            except (ActivityError, InvalidExpression) as error:
                if isinstance(error, LeaseLost):
                    raise
                return self._failed(error)
            if stays is not None:
                return stays
        return self._end("completed", None)

    def _take(self, operation: Operation) -> str | None:
        """Take one step; return the run's state where it stays there, None where it goes on."""
        step = operation.step
        if isinstance(step, Stop):
            return self._end("completed", step.reason)
        if isinstance(step, Branch):
            met = all(condition.holds(self.scene().facts) for condition in operation.conditions)
            self.at = operation.next if met else operation.otherwise
            return None
        if isinstance(step, Wait):
            return self._wait(operation, span(step.for_))
        if isinstance(step, WaitForEvent):
            return self._wait_for_event(operation, step)
        if goes_out(step):
            if not isinstance(self.outcome, str):
                raise self.outcome or DeliveryFailed("not sent")
            said: str | None = self.outcome
        else:
            said = carry_out(self.scene())
            if isinstance(step, UpdateField | ChangeStage):
                self.load = loader(self.session, self.row.tenant_id)  # what the next steps see is read anew
        self._done(operation, operation.next, said)
        return None

    def _wait(self, operation: Operation, time: timedelta) -> str | None:
        if self.state != "waiting":
            return self._leave("waiting", datetime.now(UTC) + time)
        self._done(operation, operation.next)
        return None

    def _wait_for_event(self, operation: Operation, step: WaitForEvent) -> str | None:
        """Look back on what was recorded meanwhile; then wait, or where the time is up, go on without."""
        kind, id = self._about(step)
        runs.beside(self.session, self.row.tenant_id)
        wanted = set(names(step.event))
        for event in runs.heard(self.session, kind, id, self.row.account_id, self.seen_seq, _LOOK_BACK):
            if wanted.intersection(names_of(event.type)) and meets(
                operation, facts_of(self.row, event, self.load)
            ):
                self.heard, self.seen_seq = event, event.seq
                self._stop_waiting()
                self._done(operation, operation.next, f"{event.type} came")
                return None
        if self.state == "waiting":
            self._stop_waiting()
            self._done(
                operation, operation.otherwise, f"no {' or '.join(names(step.event))} within {step.within}"
            )
            return None
        runs.wait_for(self.session, self.row.tenant_id, self.row.id, wanted, f"{kind}:{id}")
        return self._leave("waiting", datetime.now(UTC) + span(step.within))

    def _about(self, step: WaitForEvent) -> tuple[str, str]:
        for kind in (step.about,) if step.about else ("contact", "account", "opportunity"):
            id = getattr(self.row, f"{kind}_id")
            if id is not None:
                return kind, id
        raise StepFailed(f"the run is about no {step.about or 'record'}: nothing can be waited for")

    def _stop_waiting(self) -> None:
        if self.row.state == "waiting":
            runs.stop_waiting(self.session, self.row.id)

    def _done(self, operation: Operation, then: int, said: str | None = None) -> None:
        emit(self.session, step_completed(self.row.tenant_id, self.row, self.program, operation, said))
        self.at, self.done, self.attempts, self.state = then, self.done + 1, 0, "running"

    def _failed(self, error: ActivityError) -> str:
        """Try the step again later, or give up: an operator can retry or skip it."""
        self.attempts += 1
        passing = isinstance(error, DeliveryFailed) and not error.lasting
        if passing and self.attempts < MOST_ATTEMPTS:
            delay = min(_FIRST_DELAY * 4 ** (self.attempts - 1), _LONGEST_DELAY)
            return self._leave("running", datetime.now(UTC) + delay, f"attempt {self.attempts}: {error}")
        return self._end("failed", str(error))

    def _end(self, state: str, reason: str | None) -> str:
        said = ended(
            self.row.tenant_id, self.row, self.program, state, done=self.done, at=self.at, reason=reason
        )
        emit(self.session, said)
        return self._leave(state, None, reason)

    def _leave(self, state: str, due_at: datetime | None, reason: str | None = None) -> str:
        finish(self.session, RUNS, self.row, due_at)
        columns = {
            "state": state,
            "at": self.at,
            "done": self.done,
            "attempts": self.attempts,
            "seen_seq": self.seen_seq,
            "reason": reason,
        }
        if due_at is None:
            columns["ended_at"] = datetime.now(UTC)
        if self.seen_seq != self.row.seen_seq:
            columns["heard"] = runs.stored(self.heard)
        runs.moved(self.session, self.row.id, **columns)
        if due_at is not None and due_at <= datetime.now(UTC):
            nudge_after_commit(self.session, ADVANCE)
        return state
