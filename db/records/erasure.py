"""What erasing a person takes away: what the records keep of them, and the payloads of their events."""

from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from db.mail import erased, suppression

_ADDRESSES = text("""
select lower(email) from crm.contact where tenant_id = :tenant and id = :contact and email <> ''
union select lower(recipient) from crm.message where tenant_id = :tenant and contact_id = :contact""")
# Suppressions and consent keep mail away, and stay: under a keyed hash of the address.
_HIDE = text("""
select crm.forget_address(:tenant, spelling, key)
  from unnest(cast(:addresses as text[]), cast(:keys as text[])) p(address, key),
       lateral (values (address), (key)) s(spelling)""")
_STUBS = text("""
insert into crm.erased_mail (tenant_id, id, target)
select m.tenant_id, m.id, crm.erased(:tenant, p.key)
  from crm.message m join unnest(cast(:addresses as text[]), cast(:keys as text[])) p(address, key)
    on lower(m.recipient) = p.address
 where m.tenant_id = :tenant and m.contact_id = :contact on conflict do nothing""")
# What is about the contact goes, and what is kept by an address of theirs.
_FORGET = text("""
with person as materialized (select unnest(cast(:addresses as text[])) as address),
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
  enrolled as (delete from crm.enrolment where tenant_id = :tenant and contact_id = :contact)
delete from crm.contact where tenant_id = :tenant and id = :contact
""")
_ERASE = text("""
select activity.erase(:tenant, :contact, :event_id, :actor, :reason, :request_id, :hash)""")


def forget(session: Session, tenant: int, contact: str) -> None:
    """Delete what the records, the sequences and enrichment keep of a contact. For the role producer."""
    person = {"tenant": tenant, "contact": contact}
    addresses = list(session.scalars(_ADDRESSES, person))
    keys = [suppression.key(address) for address in addresses]
    session.execute(_HIDE, {"tenant": tenant, "addresses": addresses, "keys": keys})
    for address in addresses:
        erased.note(session, tenant, address)
    session.execute(_STUBS, person | {"addresses": addresses, "keys": keys})
    session.execute(_FORGET, person | {"addresses": addresses})


def forget_address(session: Session, tenant: int, address: str) -> str:
    """Delete what is kept by an address that is no contact's; return its hash. For the role producer."""
    known = {"tenant": tenant, "addresses": [address.strip().lower()], "keys": [suppression.key(address)]}
    hash_ = erased.note(session, tenant, address)
    session.execute(_HIDE, known)
    session.execute(_FORGET, known | {"contact": None})
    return hash_


def erase(
    session: Session,
    tenant: int,
    contact: str | None,
    event_id: UUID,
    actor: str,
    reason: str | None,
    request_id: str | None,
    hash_: str | None = None,
) -> int:
    """Empty the payloads of the events about a contact, and append `privacy.bodies_erased`; return how many.

    So it does with mails of no contact whose address was erased: now, or ever before. Without a contact
    `hash_` stands for the address. For the role eraser.
    """
    values = {
        "tenant": tenant,
        "contact": contact,
        "hash": hash_,
        "event_id": event_id,
        "actor": actor,
        "reason": reason,
        "request_id": request_id,
    }
    return int(session.execute(_ERASE, values).scalar_one())
