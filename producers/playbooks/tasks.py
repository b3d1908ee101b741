"""The Celery tasks of playbooks: start, advance, schedule.

Each works off what waits, and is safe to run twice or at the same time.
"""

from producers.playbooks.advance import advance_batch
from producers.playbooks.schedule import sweep
from producers.playbooks.start import ADVANCE, handle
from worker.celery import app
from worker.drain import drain
from worker.follow import follow_once

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
