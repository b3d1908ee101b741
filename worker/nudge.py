"""The coalesced nudge: wake a task after a commit, unless one that has not begun is waiting already."""

import redis
from sqlalchemy.event import listen
from sqlalchemy.orm import Session

from db.log import deployment
from worker.celery import app
from worker.process.redis import try_redis

# A nudge that was lost blocks the next ones for so long; the workers' own clocks look as often.
_WAITS_AT_MOST_MS = 1000


def _key(task: str) -> str:
    return f"activity:nudge:{deployment.name('producer')}:{task}"


def nudge(task: str) -> bool:
    """Send `task` unless one is waiting; return whether one is on its way. It may fail, and never raises."""

    def send(client: "redis.Redis") -> bool:
        if client.set(_key(task), 1, nx=True, px=_WAITS_AT_MOST_MS):
            app.send_task(task)
        return True

    return try_redis(f"nudge {task}", send) or False


def mark_started(task: str) -> None:
    """Record that `task` started and sees all that is committed.

    What is committed from now on needs a new nudge.
    """
    try_redis(f"nudge {task}", lambda client: client.delete(_key(task)))


def nudge_after_commit(session: Session, task: str) -> None:
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
