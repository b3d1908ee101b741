"""emit: what every producer calls, in the transaction of its own change."""

from collections.abc import Iterable

from sqlalchemy.event import listen
from sqlalchemy.orm import Session

from activity.event import Event
from activity.validation import encode
from db import outbox
from worker.nudge import nudge


def emit(session: Session, events: Event | Iterable[Event]) -> int:
    """Say one event or many: committed with the session's transaction they are durable, rolled back they never happened.

    Returns how many. Raises InvalidEvent, and says none of them, if one is invalid.
    """
    rows = [(event.tenant_id, encode(event)) for event in ([events] if isinstance(events, Event) else events)]
    if rows:
        outbox.put(session, rows)
        after_commit(session, "activity.append")
    return len(rows)


def after_commit(session: Session, task: str) -> None:
    """Nudge `task` once the session's transaction is committed."""
    waiting: set[str] | None = session.info.get("nudges")
    if waiting is None:
        waiting = session.info["nudges"] = set()
        listen(session, "after_commit", _nudge_all)
    waiting.add(task)


def _nudge_all(session: Session) -> None:
    if session.in_nested_transaction():
        return  # only a savepoint was released
    waiting: set[str] = session.info["nudges"]
    while waiting:
        nudge(waiting.pop())
