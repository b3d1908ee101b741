"""What follows from a report.

Suppressions, consent, the count of soft bounces, and the end of enrollments.
"""

from uuid import UUID

from sqlalchemy.orm import Session

from activity.settings import settings
from db.mail import soft_bounces, suppression
from db.mail.suppression import Provenance
from producers.mail.event import BounceType, MailEvent
from producers.mail.matching import ReportMatch, recipient
from producers.mail.suppressions import opt_in, opt_out


def apply(
    session: Session, tenant: int, provider: str, id_: UUID, event: MailEvent, match: ReportMatch
) -> str | None:
    """Record who may not be written to any more; return why the contact's enrollments end, or None.

    Anybody can write a mail, so an inbound one has consequences only for a known contact.
    """
    to, given = recipient(event, match), Provenance(provider, cause_id=id_)
    if provider == "inbound" and match.contact is None:
        return None
    if event.kind == "replied":
        return "replied"
    if "@" not in to:
        return _WITHOUT_ADDRESS.get(event.kind)
    if event.kind == "delivered":
        soft_bounces.forget(session, tenant, to)
    elif event.kind == "subscribed":
        opt_in(session, tenant, to, given)
    else:
        return _refused(session, tenant, to, event, given)
    return None


# What ends a contact's enrollments although the report hides the address.
_WITHOUT_ADDRESS = {"complained": "complained", "unsubscribed": "unsubscribed"}


def _refused(session: Session, tenant: int, to: str, event: MailEvent, given: Provenance) -> str | None:
    if event.kind == "complained":
        suppression.add(session, tenant, to, "complaint", given)
        return "complained"
    if event.kind == "unsubscribed":
        opt_out(session, tenant, to, given)
        return "unsubscribed"
    if event.kind == "rejected" and event.reject_reason == "invalid":
        suppression.add(session, tenant, to, "invalid_address", given)
        return "bounced"
    gone = event.event_type == "email.bounced" and bounced(session, tenant, to, event.bounce_type, given)
    return "bounced" if gone else None


def bounced(session: Session, tenant: int, to: str, bounce_type: BounceType, given: Provenance) -> bool:
    """Suppress an address after a hard bounce, or one soft bounce too many; return whether that was so."""
    if bounce_type == "hard":
        suppression.add(session, tenant, to, "hard_bounce", given)
        return True
    if bounce_type != "soft":
        return False
    count, limit = soft_bounces.count(session, tenant, to), settings().soft_bounce_limit
    if count < limit:
        return False
    suppression.add(session, tenant, to, "soft_bounces", given._replace(note=f"{count} in a row"))
    return True
