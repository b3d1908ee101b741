"""emit: what every producer calls, in the transaction of its own change."""

from collections.abc import Iterable

from sqlalchemy.orm import Session

from activity.event import Event
from activity.validation import encode
from db.log import outbox
from worker.nudge import nudge_after_commit


def emit(session: Session, events: Event | Iterable[Event]) -> int:
    """Say one event or many: committed with the session's transaction they are durable, rolled back they never happened.

    Returns how many. Raises InvalidEvent, and says none of them, if one is invalid.
    """
    rows = [(event.tenant_id, encode(event)) for event in ([events] if isinstance(events, Event) else events)]
    if rows:
        outbox.put(session, rows)
        nudge_after_commit(session, "activity.append")
    return len(rows)
