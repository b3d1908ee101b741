"""Waiting until the log has an event."""

import time

from activity.errors import ActivityError
from activity.event import Event, RecordedEvent
from db.engine import begin
from db.log import backlog
from db.log.reading import by_seq

_WAIT_S = 30.0
_POLL_S = 0.02


class AppendFailed(ActivityError):
    """An emitted event that the log rejected, or did not append in time; the message says which."""


def wait_for(event: Event) -> RecordedEvent:
    """Return the event as the log recorded it; wait for at most 30 seconds. Raises AppendFailed.

    Events of a workspace are appended in the order in which they were emitted: all before it are there too.
    """
    deadline = time.monotonic() + _WAIT_S
    waiting = 0
    while time.monotonic() < deadline:
        with begin("reader", event.tenant_id) as session:
            waiting = backlog.waiting(session, [event.tenant_id], 1)
            if (recorded := by_seq.get(session, event.tenant_id, event.event_id)) is not None:
                return recorded
        if not waiting:
            break
        time.sleep(_POLL_S)
    why = (
        "is `activity worker append` running?"
        if waiting
        else "it was rejected; `activity rejected` shows why"
    )
    raise AppendFailed(f"the log has no event {event.event_id} yet: {why}")
