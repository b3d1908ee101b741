"""Announce where the logs stand, so that a follower that missed the last message finds out."""

from datetime import UTC, datetime, timedelta

from db.engine import begin
from db.log import heads
from worker.celery import app
from worker.process.clock import Sweep, look_for
from worker.publish import announce

_RECENT = timedelta(seconds=30)
_ALL_EVERY_S = 30  # a follower that was away for longer than _RECENT hears of every log within this time


@app.task(name="activity.announce")  # type: ignore[untyped-decorator]  # celery has no types
def announce_heads() -> str:
    """Publish the head of each log that moved lately; of every log now and then."""
    now = datetime.now(UTC)
    since = datetime.min.replace(tzinfo=UTC) if now.second % _ALL_EVERY_S == 0 else now - _RECENT
    with begin("writer") as session:
        moved = heads.moved_since(session, since)
    announce(moved)
    return f"{len(moved)} heads"


look_for(Sweep("activity.announce", announce_heads, bound_s=60))
