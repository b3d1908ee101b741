"""What follows from a report.

Suppressions, consent, the count of soft bounces, and the end of enrollments.
"""

from uuid import UUID

from sqlalchemy.orm import Session

from activity.settings import settings
from db.mail import suppression
from producers.mail.event import BounceType, MailEvent
from producers.mail.matching import ReportMatch, recipient

# Why a contact's enrollments end, by the reason of its suppression.
_ENDS = {"complaint": "complained", "unsubscribed": "unsubscribed"}


def apply(
    session: Session, tenant: int, provider: str, id_: UUID, event: MailEvent, match: ReportMatch
) -> str | None:
    """Record who may not be written to any more; return why the contact's enrollments end, or None.

    Anybody can write a mail, so an inbound one has consequences only for a known contact.
    """
    to = recipient(event, match)
    if provider == "inbound" and match.contact is None:
        return None
    if event.kind == "replied":
        return "replied"
    if event.kind == "delivered":
        suppression.forget_soft_bounces(session, tenant, to)
    elif event.kind == "subscribed":
        _resubscribe(session, tenant, to)
    elif reason := _suppression_reason(session, tenant, event, to):
        if "@" in to:
            suppression.add(session, tenant, to, reason, cause_id=id_)
        return _ENDS.get(reason, "bounced")
    return None


def _resubscribe(session: Session, tenant: int, to: str) -> None:
    suppression.set_consent(session, tenant, to, True, "provider")
    if suppression.check(session, tenant, to) == "unsubscribed":
        suppression.remove(session, tenant, to)


def _suppression_reason(session: Session, tenant: int, event: MailEvent, to: str) -> str | None:
    """Return why an address may not be written to any more after this, or None; a soft bounce is counted."""
    if event.kind == "complained":
        return "complaint"
    if event.kind == "unsubscribed":
        suppression.set_consent(session, tenant, to, False, "provider")
        return "unsubscribed"
    if event.kind == "rejected" and event.reject_reason == "invalid":
        return "invalid address"
    return bounced(session, tenant, to, event.bounce_type) if event.event_type == "email.bounced" else None


def bounced(session: Session, tenant: int, to: str, bounce_type: BounceType) -> str | None:
    """Count a soft bounce; return why an address may not be written to any more after a bounce, or None."""
    if bounce_type == "hard":
        return "hard bounce"
    if bounce_type != "soft":
        return None
    limit = settings().soft_bounce_limit
    return f"{limit} soft bounces" if suppression.count_soft_bounce(session, tenant, to) >= limit else None
