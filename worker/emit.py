"""emit: what every producer calls, in the transaction of its own change."""

from collections.abc import Iterable, Sequence

from sqlalchemy.orm import Session

from activity.event import Event
from activity.validation import encode
from db.log import outbox
from worker.nudge import nudge_after_commit


def emit(session: Session, events: Event | Iterable[Event]) -> int:
    """Emit one event or many.

    Durable once the session's transaction commits, as if never emitted if it rolls back.

    Returns how many. Raises InvalidEvent, and emits none of them, if one is invalid.
    """
    return emit_encoded(
        session,
        [(event.tenant_id, encode(event)) for event in ([events] if isinstance(events, Event) else events)],
    )


def emit_encoded(session: Session, documents: Sequence[tuple[int, str]]) -> int:
    """Emit events that are validated already, each as its workspace and what `encode` returned of it."""
    if documents:
        outbox.put(session, documents)
        nudge_after_commit(session, "activity.append")
    return len(documents)
