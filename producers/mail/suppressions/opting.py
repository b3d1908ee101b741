"""What a person's own wish does: consent and the suppression by unsubscribing go together."""

from sqlalchemy.orm import Session

from db.mail import consent, suppression
from db.mail.suppression import Provenance


def opt_out(session: Session, tenant: int, address: str, given: Provenance) -> bool:
    """Withdraw an address's consent and suppress it; return whether it was not so before."""
    changed = consent.record(session, tenant, address, False, given)
    return suppression.add(session, tenant, address, "unsubscribed", given) is not None or changed


def opt_in(session: Session, tenant: int, address: str, given: Provenance) -> bool:
    """Record an address's consent, and lift what it asked for itself; return whether it was not so before.

    A bounce and a complaint stay: the wish for mail does not mend them.
    """
    changed = consent.record(session, tenant, address, True, given)
    note = f"subscribed again: {given.source}"
    lifted = suppression.lift(session, tenant, address, ["unsubscribed"], by=given.actor, note=note)
    return changed or bool(lifted)
