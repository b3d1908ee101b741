"""Keep when each account and contact was last touched: what recorded events do to it.

In the follower's transaction.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from activity.event import RecordedEvent
from activity.fate import AS_RECORDED
from activity.reading.touch import TOUCHES, directions
from db.engine import begin
from db.log.reading import fates, feed
from db.log.reading.filter import Filter
from db.records import touches
from db.records.touches import Touched

_PAGE = 20


def handle(session: Session, tenant: int, events: Sequence[RecordedEvent]) -> None:
    """Note the touches among the next events of a workspace; the session also moves the cursor."""
    newest: dict[Touched, datetime] = {}
    for event in events:
        if directions(event, AS_RECORDED) is not None:
            newest |= {one: max(event.occurred_at, newest.get(one, event.occurred_at)) for one in _of(event)}
    touches.raise_to(session, tenant, newest)
    # A correction can take a touch away: then the log tells which is the last one. Only up to these events,
    # since those after them are still to come.
    changed = sorted({one for event in events if event.type == "event.corrected" for one in _of(event)})
    if changed:
        with begin("reader", tenant) as reader:
            last = {one: _last(reader, tenant, one, events[-1].seq) for one in changed}
        touches.set_to(session, tenant, last)


def _of(event: RecordedEvent) -> Iterable[Touched]:
    if event.account_id is not None:
        yield Touched("account", event.account_id)
    if event.contact_id is not None:
        yield Touched("contact", event.contact_id)


def _last(reader: Session, tenant: int, record: Touched, as_of: int) -> datetime | None:
    """Return when a record was last touched, in the log up to a number."""
    account, contact = (record.id, None) if record.kind == "account" else (None, record.id)
    which, before = Filter(account=account, contact=contact, types=TOUCHES, as_of=as_of), None
    while True:
        found, before = feed.older(reader, tenant, which, before, _PAGE)
        became = fates.of(reader, tenant, found, as_of)
        for event in found:
            if directions(event, became.get(event.event_id, AS_RECORDED)) is not None:
                return event.occurred_at
        if before is None:
            return None
