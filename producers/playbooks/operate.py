"""What people do to playbooks and runs: save, enable, pause, start by hand, cancel, retry, skip. Each is recorded with who did it."""

from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import Row
from sqlalchemy.orm import Session

from activity.catalogue.types.automation import PlaybookPaused
from activity.errors import ActivityError
from activity.event import Event
from db.playbooks import playbooks, runs
from db.playbooks.playbooks import Saved
from db.records import values
from producers.playbooks.definition import cache
from producers.playbooks.definition.program import Program, build
from producers.playbooks.events import SOURCE, ended, step_completed
from producers.playbooks.schedule import start_records
from producers.playbooks.start import ADVANCE
from worker.emit import emit
from worker.nudge import nudge_after_commit

Act = Literal["cancel", "pause", "retry", "skip"]
_FROM: dict[Act, tuple[str, ...]] = {
    "cancel": ("running", "waiting", "paused", "failed"),
    "pause": ("running", "waiting"),
    "retry": ("failed", "paused", "running"),
    "skip": ("failed", "paused", "waiting", "running"),
}


class NotNow(ActivityError):
    """What is asked of a run can't be done in the state it is in."""


def save(session: Session, tenant: int, source: str, by: str) -> tuple[Saved, Program]:
    """Check a definition and keep it as its playbook's next version; runs under way keep theirs. Raises InvalidPlaybook."""
    program = build(source)
    saved = playbooks.save(session, tenant, program.name, source, by)
    if saved.new and playbooks.find(session, tenant, program.name).state == "enabled":
        playbooks.enable(session, tenant, saved.id, program.next_moment(datetime.now(UTC)))
    return saved, program


def enable(session: Session, tenant: int, ref: str) -> Row[Any]:
    """Let a playbook start at what is recorded from now on."""
    row = playbooks.find(session, tenant, ref)
    program = cache.program(session, row.id, row.version)
    playbooks.enable(session, tenant, row.id, program.next_moment(datetime.now(UTC)))
    return row


def pause(session: Session, tenant: int, ref: str, by: str, reason: str = "paused by hand") -> Row[Any]:
    """Let a playbook start nothing more; runs under way go on."""
    row = playbooks.find(session, tenant, ref)
    if playbooks.pause(session, tenant, row.id, reason):
        payload = PlaybookPaused(playbook=row.name, version=row.version, reason=reason)
        about: dict[str, Any] = {"record_type": "playbook", "record_id": str(row.id)}
        emit(
            session,
            Event(
                tenant_id=tenant, type="playbook.paused", source=SOURCE, actor=by, payload=payload, **about
            ),
        )
    return row


def start(session: Session, tenant: int, ref: str, kind: str, id: str) -> int:
    """Start a playbook by hand for a record, whatever its trigger and conditions; its once-per rule holds. Return 1 or 0."""
    row = playbooks.find(session, tenant, ref)
    record = values.read(session, tenant, kind, [id]).get(id)
    if record is None:
        raise values.RecordNotFound(f"there is no {kind} {id!r}")
    program = cache.program(session, row.id, row.version)
    return start_records(session, tenant, row.id, row.version, program, kind, [record], datetime.now(UTC))


def act(session: Session, tenant: int, run: int, what: Act, by: str, reason: str | None = None) -> str:
    """Cancel, pause, retry or skip; return the run's state after it. Whoever holds the run now loses it. Raises RunUnknown or NotNow."""
    row = runs.take(session, tenant, run)
    if row.state not in _FROM[what]:
        raise NotNow(f"run {run} is {row.state}: {what} needs one that is {' or '.join(_FROM[what])}")
    program = cache.program(session, row.playbook_id, row.version)
    runs.acted(session, tenant, run, what, by, reason)
    if what in ("cancel", "pause"):
        state = "cancelled" if what == "cancel" else "paused"
        emit(session, ended(tenant, row, program, state, done=row.done, at=row.at, reason=reason, actor=by))
        runs.stop_waiting(session, run)
        over = {"ended_at": datetime.now(UTC)} if what == "cancel" else {}
        runs.moved(session, run, state=state, due_at=None, reason=reason, **over)
        return state
    runs.stop_waiting(session, run)
    at, done = row.at, row.done
    if what == "skip" and at < len(program.operations):
        operation = program.operations[at]
        at, done = operation.next, done + 1
        emit(
            session,
            step_completed(
                tenant, row, program, operation, f"skipped by hand{f': {reason}' if reason else ''}", actor=by
            ),
        )
    runs.moved(
        session,
        run,
        state="running",
        at=at,
        done=done,
        attempts=0,
        reason=None,
        due_at=datetime.now(UTC),
        ended_at=None,
    )
    nudge_after_commit(session, ADVANCE)
    return "running"
