"""The Celery tasks of playbooks: start, advance, schedule.

Each works off what waits, and is safe to run twice or at the same time.
"""

from db.claim import is_due
from db.engine import EVERY_TENANT, begin
from db.playbooks.playbooks import SCHEDULES
from db.playbooks.runs import RUNS
from producers.playbooks.advance import advance_batch
from producers.playbooks.schedule import sweep
from producers.playbooks.start import ADVANCE, handle
from worker.celery import app
from worker.drain import drain
from worker.follow import follow_once, has_unseen
from worker.process.clock import Sweep, look_for

START, SCHEDULE = "playbook.start", "playbook.schedule"
FOLLOWER = "playbooks"  # the name of the durable cursor


@app.task(name=START)  # type: ignore[untyped-decorator]  # celery has no types
def start_waiting() -> str:
    """Let recorded events start and wake runs."""
    return drain(START, lambda: follow_once(FOLLOWER, handle))


@app.task(name=ADVANCE)  # type: ignore[untyped-decorator]  # celery has no types
def advance_waiting() -> str:
    """Move the runs on that are due."""
    return drain(ADVANCE, advance_batch)


@app.task(name=SCHEDULE)  # type: ignore[untyped-decorator]  # celery has no types
def start_scheduled() -> str:
    """Start the runs of schedules whose time has come."""
    return drain(SCHEDULE, sweep)


def _is_run_due() -> bool:
    with begin("producer", EVERY_TENANT) as session:
        return is_due(session, RUNS)


def _is_schedule_due() -> bool:
    with begin("producer", EVERY_TENANT) as session:
        return is_due(session, SCHEDULES)


look_for(Sweep(START, start_waiting, lambda: has_unseen(FOLLOWER)))
look_for(Sweep(ADVANCE, advance_waiting, _is_run_due))
look_for(Sweep(SCHEDULE, start_scheduled, _is_schedule_due, every_s=5))
