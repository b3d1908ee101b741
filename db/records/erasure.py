"""What erasing a person takes away: what the records keep of them, and the payloads of their events."""

from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

# What is about the contact goes, and what is kept by an address of theirs. Their suppression and consent
# stay: they keep mail away.
_FORGET = text("""
with person as materialized (
    select lower(email) as address from crm.contact where tenant_id = :tenant and id = :contact
        and email <> ''
    union select lower(recipient) from crm.message where tenant_id = :tenant and contact_id = :contact),
  passes as materialized (select id from crm.enrichment_pass where tenant_id = :tenant and kind = 'contact'
      and record_id = :contact),
  calls as (update crm.enrichment_call c set found = null from passes p where c.tenant_id = :tenant
      and c.pass_id = p.id),
  cached as (delete from crm.enrichment_cache c using person p where c.tenant_id = :tenant
      and strpos(lower(c.key), p.address) > 0),
  sources as (delete from crm.enrichment_provenance where tenant_id = :tenant and kind = 'contact'
      and record_id = :contact),
  latest as (delete from crm.enrichment_latest where tenant_id = :tenant and kind = 'contact'
      and record_id = :contact),
  delivered as (delete from crm.mail_delivery d using person p where d.tenant_id = :tenant
      and lower(d.recipient) = p.address),
  bounced as (delete from crm.soft_bounce b using person p where b.tenant_id = :tenant
      and b.address = p.address),
  enrolled as (delete from crm.enrolment where tenant_id = :tenant and contact_id = :contact)
delete from crm.contact where tenant_id = :tenant and id = :contact
""")
_ERASE = text("select activity.erase(:tenant, :contact, :event_id, :actor, :reason, :request_id)")


def forget(session: Session, tenant: int, contact: str) -> None:
    """Delete what the records, the sequences and enrichment keep of a contact. For the role producer."""
    session.execute(_FORGET, {"tenant": tenant, "contact": contact})


def erase(
    session: Session,
    tenant: int,
    contact: str,
    event_id: UUID,
    actor: str,
    reason: str | None,
    request_id: str | None,
) -> int:
    """Empty the payloads of the events about a contact, and append `privacy.bodies_erased`; return how many.

    For the role eraser.
    """
    values = {
        "tenant": tenant,
        "contact": contact,
        "event_id": event_id,
        "actor": actor,
        "reason": reason,
        "request_id": request_id,
    }
    return int(session.execute(_ERASE, values).scalar_one())
