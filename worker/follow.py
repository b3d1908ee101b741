"""Followers with a name and a cursor in the database: they miss nothing and do nothing twice."""

from collections import Counter
from collections.abc import Callable, Sequence

import structlog
from sqlalchemy.orm import Session

from activity.event import RecordedEvent
from db.engine import begin
from db.log import cursors, heads
from db.log.cursors import Cursor
from db.log.reading import by_seq

log = structlog.get_logger()

Handle = Callable[[Session, int, Sequence[RecordedEvent]], object]


def follow_once(name: str, handle: Handle, *, page: int = 500) -> Counter[str]:
    """Hand each tenant's next page of unseen events to `handle(session, tenant_id, events)`.

    An empty tally says that there were none.

    What `handle` does in its session is committed together with the cursor `name`: exactly once, in order,
    however often this is called, at the same time as well. A new follower begins at the beginning of every
    log: a handler that wants less passes over what is older.
    """
    with begin("producer") as session:
        waiting = cursors.behind(session, name)
    tally: Counter[str] = Counter()
    for tenant_id in waiting:
        tally["handled"] += _follow_tenant(name, tenant_id, handle, page)
    return +tally


def has_unseen(name: str) -> bool:
    """Return whether a log holds something that the follower `name` has not handled."""
    with begin("producer") as session:
        return bool(cursors.behind(session, name))


def _follow_tenant(name: str, tenant_id: int, handle: Handle, page: int) -> int:
    with begin("producer", tenant_id) as session, begin("reader", tenant_id) as reader:
        head = heads.head(reader, tenant_id)
        at = cursors.hold(session, name, tenant_id, start=Cursor(head.epoch, 0))
        if at is None:
            return 0
        if (
            at.epoch != head.epoch
        ):  # the log was restored: what it lost can't be taken back, what it kept is not done again
            log.warning(
                "follower_epoch_changed", follower=name, tenant_id=tenant_id, at=at.seq, head=head.seq
            )
            at = Cursor(head.epoch, min(at.seq, head.seq))
            cursors.move(session, name, tenant_id, at)
        unseen = by_seq.after(reader, tenant_id, at.seq, page).events
        if unseen:
            handle(session, tenant_id, unseen)
            cursors.move(session, name, tenant_id, Cursor(at.epoch, unseen[-1].seq))
        return len(unseen)
