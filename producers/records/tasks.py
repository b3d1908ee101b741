"""The task that keeps when records were last touched."""

from producers.records.touches import handle
from worker.celery import app
from worker.drain import drain
from worker.follow import follow_once, has_unseen
from worker.process.clock import Sweep, look_for

_TASK = "records.touches"
FOLLOWER = "touches"  # the name of the durable cursor


@app.task(name=_TASK)  # type: ignore[untyped-decorator]  # celery has no types
def note_touches() -> str:
    """Note the touches among the events that have not been looked at yet."""
    return drain(_TASK, lambda: follow_once(FOLLOWER, handle))


look_for(Sweep(_TASK, note_touches, lambda: has_unseen(FOLLOWER)))
