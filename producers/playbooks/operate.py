"""What people do to playbooks and runs: save, enable, pause, start by hand, cancel, retry, skip.

Each is recorded with who did it: a version names who saved it, `playbook.act` the rest.
"""

from datetime import UTC, datetime
from typing import Literal

from sqlalchemy.orm import Session

from activity.errors import ActivityError
from activity.settings import settings
from db.engine import begin
from db.playbooks import playbooks, runs, starts
from db.playbooks.playbooks import SavedVersion, StoredPlaybook
from db.playbooks.runs import PlaybookRun
from db.records import values
from db.records.values import RecordNotFound
from producers.playbooks.definition import cache
from producers.playbooks.definition.document import WaitForEvent
from producers.playbooks.definition.program import Program, build
from producers.playbooks.events import BY_HAND, paused, step_completed
from producers.playbooks.schedule import RecordStart, start_records
from producers.playbooks.start import ADVANCE
from producers.playbooks.stop import stop
from worker.emit import emit
from worker.nudge import nudge_after_commit

_CHUNK = 200  # runs that are acted on in one transaction
Act = Literal["cancel", "pause", "retry", "skip"]
_FROM: dict[Act, tuple[str, ...]] = {
    "cancel": ("running", "waiting", "held", "paused", "failed"),
    "pause": ("running", "waiting", "held"),
    "retry": ("failed", "paused", "running"),
    "skip": ("failed", "paused", "waiting", "running"),
}


class InvalidRunState(ActivityError):
    """The run is in a state in which it cannot do what is asked."""


def save(session: Session, tenant: int, source: str, by: str) -> tuple[SavedVersion, Program]:
    """Check a definition and save it as its playbook's next version; runs under way keep theirs.

    Raises InvalidPlaybook.
    """
    program = build(source)
    saved = playbooks.save(session, tenant, program.name, source, by)
    if saved.new and playbooks.find(session, tenant, program.name).state == "enabled":
        playbooks.enable(session, tenant, saved.id, program.next_moment(datetime.now(UTC)))
    return saved, program


def enable(session: Session, tenant: int, ref: str, by: str) -> StoredPlaybook:
    """Let a playbook start at what is recorded from now on, and the runs begin that its pause held.

    Raises PlaybookNotFound.
    """
    playbook = playbooks.find(session, tenant, ref)
    program = cache.program(session, playbook.id, playbook.version)
    starts.lock_workspace(session, tenant)
    playbooks.enable(session, tenant, playbook.id, program.next_moment(datetime.now(UTC)))
    held, limit = runs.held(session, playbook.id), settings().playbook_starts_per_minute
    moments = starts.reserve_starts(session, tenant, playbook.id, len(held), limit)
    runs.release(session, dict(zip(held, moments, strict=True)))
    playbooks.record_act(session, tenant, "enable", by, playbook=playbook.id)
    return playbook


def pause(session: Session, tenant: int, ref: str, by: str, reason: str = "paused by hand") -> StoredPlaybook:
    """Let a playbook start nothing more, and hold what has not taken a step; the rest goes on.

    Raises PlaybookNotFound.
    """
    playbook = playbooks.find(session, tenant, ref)
    starts.lock_workspace(session, tenant)
    if playbooks.pause(session, tenant, playbook.id, reason):
        playbooks.record_act(session, tenant, "pause", by, reason, playbook=playbook.id)
        emit(session, paused(tenant, playbook.id, playbook.version, playbook.name, reason, actor=by))
    return playbook


def start(session: Session, tenant: int, ref: str, kind: str, id: str, by: str) -> bool:
    """Start a playbook by hand for a record, whatever its trigger and conditions; its once-per rule holds.

    Return whether it started. Raises PlaybookNotFound or RecordNotFound.
    """
    playbook = playbooks.find(session, tenant, ref)
    record = values.read(session, tenant, kind, [id]).get(id)
    if record is None:
        raise RecordNotFound(f"there is no {kind} {id!r}")
    program = cache.program(session, playbook.id, playbook.version)
    now = datetime.now(UTC)
    new = RecordStart(tenant, playbook.id, playbook.version, program, kind, now, BY_HAND, by)
    if not start_records(session, new, [record]):
        return False
    playbooks.record_act(session, tenant, "start", by, playbook=playbook.id)
    return True


def act(session: Session, tenant: int, run_id: int, what: Act, by: str, reason: str | None = None) -> str:
    """Cancel, pause, retry or skip; return the run's state after it. Any claim of the run is revoked.

    Raises RunNotFound or InvalidRunState.
    """
    run = runs.revoke_claim(session, tenant, run_id)
    if run.state not in _FROM[what]:
        wanted = " or ".join(_FROM[what])
        raise InvalidRunState(f"run {run_id} is {run.state}: {what} needs one that is {wanted}")
    playbooks.record_act(session, tenant, what, by, reason, run=run_id)
    if what in ("cancel", "pause"):
        return stop(session, run, "cancelled" if what == "cancel" else "paused", by, reason)
    runs.stop_waiting(session, run_id)
    program, at, done = cache.program(session, run.playbook_id, run.version), run.at, run.done
    if what == "skip" and at < len(program.operations):
        at, done = _skip(session, run, program, by, reason), done + 1
    _resume(session, run_id, at, done)
    return "running"


def act_on_all(
    tenant: int, ref: str, state: str | None, what: Act, by: str, reason: str | None = None
) -> int:
    """Do the same to every run of a playbook, or to those in one state; return how many there were.

    They are worked off a chunk a transaction: what is done stays done if it is interrupted.
    Raises PlaybookNotFound.
    """
    states = [one for one in _FROM[what] if state in (None, one)]
    count, after = 0, 0
    while True:
        with begin("producer", tenant) as session:
            playbook = playbooks.find(session, tenant, ref)
            ids = runs.ids_in(session, playbook.id, states, after, _CHUNK)
            for id in ids:
                act(session, tenant, id, what, by, reason)
        if not ids:
            return count
        count, after = count + len(ids), ids[-1]


def _skip(session: Session, run: PlaybookRun, program: Program, by: str, reason: str | None) -> int:
    operation = program.operations[run.at]
    why = f"skipped by hand: {reason}" if reason else "skipped by hand"
    emit(session, step_completed(run, program, operation, why, actor=by))
    # A wait that is skipped is over as by its time: the awaited event did not come.
    return operation.otherwise if isinstance(operation.step, WaitForEvent) else operation.next


def _resume(session: Session, run: int, at: int, done: int) -> None:
    now = datetime.now(UTC)
    changes = {"state": "running", "at": at, "done": done, "attempts": 0, "reason": None, "since": now}
    runs.update(session, run, due_at=now, ended_at=None, **changes)
    nudge_after_commit(session, ADVANCE)
