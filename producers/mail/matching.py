"""The mail and the contact that a report refers to."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy.orm import Session

from activity.address import canonical, mailboxes
from db.mail import deliveries, sent
from db.mail.sent import ContactRef, SentMail
from producers.mail.event import MailEvent

SENT = ("queued", "sent")
# About no earlier mail, so that the last one to the same address is no match.
_WITHOUT_EARLIER_MAIL = (*SENT, "received")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


class ReportMatch(NamedTuple):
    """What a report refers to, and how that was found: "message_id", "address" or None."""

    sent: SentMail | None
    contact: ContactRef | None
    by: str | None


class KnownMails(NamedTuple):
    """What the database knows of the mails of a request, looked up at once."""

    by_id: Mapping[str, SentMail]
    by_address: Mapping[str, SentMail]
    contacts: Mapping[str, ContactRef]
    arrivals: Mapping[tuple[str, str], datetime]


def look_up(session: Session, tenant: int, events: Sequence[MailEvent]) -> KnownMails:
    """Return what is known of the mails of some reports; the deliveries among the reports count as known."""
    ids = {bare(id_) for event in events for id_ in _ids(event)}
    addresses = {address(event) for event in events} - {""}
    by_id = sent.sent_by_id(session, tenant, ids)
    arrivals = deliveries.delivered_at(session, tenant, ids | set(by_id))
    contacts = sent.contacts_by_address(session, tenant, addresses)
    return KnownMails(
        by_id, sent.sent_to(session, tenant, addresses), contacts, arrivals_of(events) | arrivals
    )


def arrivals_of(events: Sequence[MailEvent]) -> dict[tuple[str, str], datetime]:
    """Return the deliveries among some reports, by (message id, address)."""
    return {
        (bare(id_), address(event)): event.occurred_at
        for event in events
        if event.kind == "delivered" and event.occurred_at
        for id_ in _ids(event)
    }


def match(event: MailEvent, known: KnownMails) -> ReportMatch:
    """Return what a report refers to.

    By its message ids, else by the last mail to its address, else by the address.
    """
    to = address(event)
    found = next((known.by_id[bare(id_)] for id_ in _ids(event) if bare(id_) in known.by_id), None)
    if found is not None:
        return ReportMatch(found, ContactRef(found.contact_id, found.account_id), "message_id")
    last = None if event.kind in _WITHOUT_EARLIER_MAIL else known.by_address.get(to)
    if last is not None:
        return ReportMatch(last, ContactRef(last.contact_id, last.account_id), "address")
    contact = known.contacts.get(to)
    return ReportMatch(None, contact, "address" if contact else None)


def recipient(event: MailEvent, found: ReportMatch) -> str:
    """Return the address that was written to.

    A report may hide it, or name one that the mail was forwarded to.
    """
    return found.sent.recipient if found.sent and found.by == "message_id" else address(event)


def seconds_since_delivery(event: MailEvent, found: ReportMatch, known: KnownMails) -> float | None:
    """Return how many seconds after its delivery a mail was opened; None where neither time is known.

    A mail that no delivery was reported of counts from its sending.
    """
    keys = [(bare(id_), address(event)) for id_ in _ids(event)]
    arrived = next((known.arrivals[key] for key in keys if key in known.arrivals), None)
    if arrived is None and found.sent and found.by == "message_id":
        arrived = found.sent.sent_at
    if arrived is None or event.occurred_at is None:
        return None
    return round((event.occurred_at - arrived).total_seconds(), 3)


def bare(message_id: str) -> str:
    """Return a Message-ID without < and >, at most as long as the database stores."""
    return _CONTROL.sub("", message_id.strip().removeprefix("<").removesuffix(">"))[:500] or "-"


def address(event: MailEvent) -> str:
    """Return the recipient's address in its one spelling; "" where there is none."""
    return canonical(named_address(event.recipient))[:320]


def named_address(text: str | None) -> str:
    """Return the address in a text such as `Jo Park <jo@acme.example>`: each provider may write so."""
    clean = _CONTROL.sub("", text or "")
    return next((address for _, address in mailboxes(clean)), clean.strip())


def _ids(event: MailEvent) -> list[str]:
    return [id_ for id_ in (event.header_id, event.message_id, *event.references) if id_]
