"""The mails that sequences sent and the contacts they went to, as a report names them.

A transaction names its tenant.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import text
from sqlalchemy.orm import Session

from activity.address import canonical, spellings


class SentMail(NamedTuple):
    """A mail of a sequence that a report refers to.

    `message_id` is without < and >, `recipient` in its one spelling, `mailbox` the address it went out from.
    """

    message_id: str
    recipient: str
    contact_id: str
    account_id: str | None
    thread_id: str
    sequence: str
    sequence_id: int
    step: int
    variant: str
    subject: str | None
    sent_at: datetime | None
    mailbox: str


class ContactRef(NamedTuple):
    """A contact and its account."""

    contact_id: str
    account_id: str | None


_SENT = """
select m.message_id, m.recipient, m.contact_id, m.account_id, m.thread_id, s.name, s.id, m.step,
       m.variant, m.subject, m.sent_at, b.address
  from crm.message m join crm.sequence s on s.id = m.sequence_id
  join crm.mailbox b on b.id = m.mailbox_id where m.tenant_id = :tenant"""


def sent_by_id(session: Session, tenant: int, ids: Iterable[str]) -> dict[str, SentMail]:
    """Return mails by their Message-ID headers, given and returned without < and >."""
    statement = text(f"{_SENT} and m.message_id = any(:ids)")
    found = session.execute(statement, {"tenant": tenant, "ids": sorted(set(ids))})
    return {row[0]: _mail(*row) for row in found}


def sent_to(session: Session, tenant: int, addresses: Iterable[str]) -> dict[str, SentMail]:
    """Return the last mail that was sent to each of some addresses, by their one spelling."""
    statement = text(f"""
        select l.* from unnest(cast(:addresses as text[])) a cross join lateral
          ({_SENT} and lower(m.recipient) = a and m.state in ('sent', 'unknown', 'bounced')
            order by m.id desc limit 1) l""")
    found = session.execute(statement, {"tenant": tenant, "addresses": _written(addresses)})
    return {mail.recipient: mail for mail in (_mail(*row) for row in found)}


def _mail(message_id: str, recipient: str, *rest: Any) -> SentMail:
    return SentMail(message_id, canonical(recipient), *rest)


def _written(addresses: Iterable[str]) -> list[str]:
    return sorted({one for address in addresses for one in spellings(address)})


def contacts_by_address(session: Session, tenant: int, addresses: Iterable[str]) -> dict[str, ContactRef]:
    """Return the contact of each of some addresses, by their one spelling; of several the oldest."""
    statement = text("""
        select email, id, account_id from crm.contact
         where tenant_id = :tenant and lower(email) = any(:addresses) order by created_at desc, id desc""")
    found = session.execute(statement, {"tenant": tenant, "addresses": _written(addresses)})
    return {canonical(row[0]): ContactRef(row[1], row[2]) for row in found}


def enrolled(session: Session, tenant: int, contacts: Iterable[str]) -> set[str]:
    """Return which of some contacts have an active enrollment."""
    statement = text("""
        select distinct contact_id from crm.enrolment
         where tenant_id = :tenant and contact_id = any(:contacts) and state = 'active'""")
    return set(session.scalars(statement, {"tenant": tenant, "contacts": sorted(set(contacts))}))
