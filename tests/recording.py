"""Events in the log, as a test wants them there."""

from activity.event import Event
from db.engine import begin
from worker.append import append_batch
from worker.emit import emit


def record(*events: Event) -> None:
    """Emit events and append all that waits."""
    with begin("producer") as session:
        emit(session, events)
    append_all()


def append_all() -> None:
    """Append all that waits."""
    while append_batch(1000):
        pass
