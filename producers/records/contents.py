"""Decide for whom the contents of a workspace's e-mails are."""

from sqlalchemy.orm import Session

from activity.event import Event
from activity.event_type import Audience
from db.records import records, visibility
from worker.emit import emit


def decide(session: Session, tenant: int, wanted: Audience, actor: str) -> bool:
    """Decide it, and tell so by an event; return whether it was otherwise before.

    It holds for every event, those of the past too, within seconds.
    """
    if not visibility.set_contents(session, tenant, wanted):
        return False
    event = Event(
        tenant_id=tenant,
        type="privacy.contents_changed",
        payload={"contents": wanted.value},
        source="cli",
        actor=actor,
        record_type="workspace",
        record_id=records.get_tenant(session, tenant).slug,
    )
    emit(session, [event])
    return True
