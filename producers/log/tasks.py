"""The tasks about the log itself: its checkpoints, and the index of what it says.

Checkpoints are made by the append worker, which sees hashes and nothing that an event says.
"""

from producers.log import checkpoints, search
from worker.celery import app
from worker.drain import drain
from worker.follow import follow_once, has_unseen
from worker.process.clock import Sweep, look_for

_INDEX = "search.index"
INDEXER = "search"  # the name of the durable cursor


@app.task(name="activity.checkpoint")  # type: ignore[untyped-decorator]  # celery has no types
def make_checkpoints() -> str:
    """Make the checkpoints that are due."""
    return checkpoints.make_due()


@app.task(name=_INDEX)  # type: ignore[untyped-decorator]  # celery has no types
def index_events() -> str:
    """Index the events that have not been read yet."""
    return drain(_INDEX, lambda: follow_once(INDEXER, search.handle))


look_for(Sweep("activity.checkpoint", checkpoints.make_due, checkpoints.is_due, every_s=5.0))
look_for(Sweep(_INDEX, index_events, lambda: has_unseen(INDEXER)))
