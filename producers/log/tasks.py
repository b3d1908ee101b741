"""The task that makes checkpoints: in the append worker, which sees hashes and nothing that an event says."""

from producers.log import checkpoints
from worker.celery import app
from worker.process.clock import Sweep, look_for


@app.task(name="activity.checkpoint")  # type: ignore[untyped-decorator]  # celery has no types
def make_checkpoints() -> str:
    """Make the checkpoints that are due."""
    return checkpoints.make_due()


look_for(Sweep("activity.checkpoint", checkpoints.make_due, checkpoints.is_due, every_s=5.0))
