"""What came back of a mail: find the contact, account, thread and step, say the event, and draw the consequences, in one transaction."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID, uuid5

import msgspec
from sqlalchemy.orm import Session

from activity.event import Event
from activity.settings import settings
from activity.validation import EARLIEST, LATEST
from db.mail import sources, suppression
from db.mail.sources import Contact, Sent
from producers.mail.enrollments import stop
from producers.mail.event import MailEvent
from producers.mail.machine import classify
from worker.emit import emit

_NAMESPACE = UUID(
    "9b2e1f0c-7a64-5d0e-8f5b-3c1d2e4f6a70"
)  # any fixed one: ids made of it are the same for ever
_TYPES = {
    "queued": "email.sent",
    "sent": "email.sent",
    "delivered": "email.delivered",
    "deferred": "email.deferred",
    "opened": "email.opened",
    "clicked": "email.clicked",
    "bounced": "email.bounced",
    "rejected": "email.rejected",
    "failed": "email.rejected",
    "complained": "email.complained",
    "unsubscribed": "email.unsubscribed",
    "subscribed": "email.subscribed",
    "autoresponded": "email.auto_replied",
    "replied": "email.replied",
    "read": "email.opened",
    "received": "email.received",
}
_SENT = ("queued", "sent")
_OF_ITS_OWN = (
    *_SENT,
    "received",
)  # about no earlier mail, so that the last one to the same address says nothing
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_METADATA = 20  # entries of what the sender added are kept
_LONG = {"reason": 4000, "user_agent": 4000, "excerpt": 4000, "url": 8192}
_PAYLOAD = 60_000  # bytes


class Match(NamedTuple):
    """Whom a report is about, and how that was found."""

    sent: Sent | None
    contact: Contact | None
    by: str | None


class Facts(NamedTuple):
    """What the database knows of the mails of a request, looked up at once."""

    by_id: Mapping[str, Sent]
    by_address: Mapping[str, Sent]
    contacts: Mapping[str, Contact]
    arrivals: Mapping[tuple[str, str], datetime]


def event_id(provider: str, event: MailEvent) -> UUID:
    """Return the one id of what a provider reports: the same in every repeat."""
    return uuid5(_NAMESPACE, f"{provider}/{event.identity}")


def say(
    session: Session,
    tenant: int,
    provider: str,
    reports: Sequence[tuple[UUID, MailEvent]],
    *,
    source: str | None = None,
) -> int:
    """Say what was reported, in the session's transaction, and draw the consequences; return how many events were said.

    What nobody is found for is said about its message. That our own engine's mail was sent, it has said itself.
    """
    facts = _facts(session, tenant, [event for _, event in reports])
    matched = [(id_, event, _match(event, facts)) for id_, event in reports]
    _keep_arrivals(session, tenant, matched)
    events = [
        event_of(tenant, source or f"webhook:{provider}", provider, id_, event, match, facts)
        for id_, event, match in matched
        if not (event.kind in _SENT and match.sent)
    ]
    emit(session, events)
    enrolled = sources.enrolled(
        session, tenant, [match.contact.contact_id for _, _, match in matched if match.contact]
    )
    soft = sources.soft_bounced(session, tenant, [_whom(event, match) for _, event, match in matched])
    for id_, event, match in matched:
        if event.kind == "delivered" and _whom(event, match) not in soft:
            continue  # nothing follows from most deliveries
        ends = _act(session, tenant, provider, id_, event, match)
        if event.kind == "bounced":
            soft.add(_whom(event, match))
        if ends and match.contact and match.contact.contact_id in enrolled:
            stop(session, tenant, match.contact.contact_id, ends, cause_id=id_)
    return len(events)


def _facts(session: Session, tenant: int, events: Sequence[MailEvent]) -> Facts:
    ids = {bare(id_) for event in events for id_ in _ids(event)}
    addresses = {address(event) for event in events} - {""}
    by_id = sources.sent_by_id(session, tenant, ids)
    arrivals = sources.delivered_at(session, tenant, ids | set(by_id))
    now = {
        (bare(id_), address(event)): event.occurred_at
        for event in events
        if event.kind == "delivered"
        for id_ in _ids(event)
        if event.occurred_at
    }
    contacts = sources.contacts_by_address(session, tenant, addresses)
    return Facts(by_id, sources.sent_to(session, tenant, addresses), contacts, {**now, **arrivals})


def _ids(event: MailEvent) -> list[str]:
    return [id_ for id_ in (event.header_id, event.message_id, *event.references) if id_]


def bare(message_id: str) -> str:
    """Return a Message-ID without < and >, as long as is kept."""
    return _CONTROL.sub("", message_id.strip().removeprefix("<").removesuffix(">"))[:500] or "-"


def address(event: MailEvent) -> str:
    """Return the recipient's address in small letters; "" where there is none."""
    return _CONTROL.sub("", (event.recipient or "").strip().lower())[:320]


def _match(event: MailEvent, facts: Facts) -> Match:
    to = address(event)
    sent = next((facts.by_id[bare(id_)] for id_ in _ids(event) if bare(id_) in facts.by_id), None)
    if sent is not None:
        return Match(sent, Contact(sent.contact_id, sent.account_id), "message_id")
    last = None if event.kind in _OF_ITS_OWN else facts.by_address.get(to)
    if last is not None:
        return Match(last, Contact(last.contact_id, last.account_id), "address")
    contact = facts.contacts.get(to)
    return Match(None, contact, "address" if contact else None)


def _keep_arrivals(session: Session, tenant: int, matched: Sequence[tuple[UUID, MailEvent, Match]]) -> None:
    arrivals = {
        (bare(id_), address(event)): event.occurred_at
        for _, event, _ in matched
        if event.kind == "delivered" and event.occurred_at
        for id_ in _ids(event)
    }
    sources.delivered(session, tenant, arrivals)


def event_of(
    tenant: int, source: str, provider: str, id_: UUID, event: MailEvent, match: Match, facts: Facts
) -> Event:
    """Return the event that a report makes, whoever it is about."""
    sent, contact = match.sent, match.contact
    moment = event.occurred_at
    return Event(
        tenant_id=tenant,
        type=event.type or _TYPES[event.kind],
        payload=_fitting(_payload(provider, event, match, facts)),
        source=source,
        account_id=contact.account_id if contact else None,
        contact_id=contact.contact_id if contact else None,
        record_type="thread" if sent else "message",
        record_id=sent.thread_id if sent else _record_id(event, id_),
        occurred_at=moment if moment and EARLIEST <= moment < LATEST else datetime.now(UTC),
        event_id=id_,
    )


def _record_id(event: MailEvent, id_: UUID) -> str:
    """Return what names a mail that we did not send: its id at the provider, or what was said of it."""
    found = event.message_id or event.header_id or str(id_)
    return (
        found
        if len(found) <= 320 and not _CONTROL.search(found)
        else hashlib.sha256(found.encode("utf-8", "replace")).hexdigest()
    )


def _payload(provider: str, event: MailEvent, match: Match, facts: Facts) -> dict[str, Any]:
    sent = match.sent
    said: dict[str, Any] = {
        "subject": (sent.subject if sent else None) or event.subject,
        "recipient": event.recipient,
        "message_id": f"<{sent.message_id}>"
        if sent and match.by == "message_id"
        else event.header_id or event.message_id,
        "provider": provider,
        "kind": event.kind,
        "provider_message_id": event.message_id,
        "provider_event_id": event.event_id,
        "provider_request_id": event.request_id,
        "status": event.status,
        "reason": event.reason,
        "reject_reason": event.reject_reason,
        "user_agent": event.user_agent,
        "matched_by": match.by,
        "tags": list(event.tags),
        "metadata": dict(event.metadata),
    }
    if sent:
        said |= {"sequence": sent.sequence, "step": sent.step, "variant": sent.variant}
    return said | _particulars(event, match, facts)


def _particulars(event: MailEvent, found: Match, facts: Facts) -> dict[str, Any]:
    """Return what only this type of event has."""
    match event.type or _TYPES[event.kind]:
        case "email.opened" if event.kind == "read":
            return {
                "machine": None,
                "machine_rule": "read receipt",
            }  # a person's program sent it, asked or not
        case "email.opened":
            return _engagement(event, found, facts)
        case "email.clicked":
            return _engagement(event, found, facts) | {"url": event.url or ""}
        case "email.bounced":
            return {"bounce_type": event.bounce_type}
        case "email.complained":
            return {"feedback_type": event.feedback_type}
        case "email.unsubscribed" | "email.subscribed":
            return {"method": event.method or "provider"}
        case "email.sent":
            return {"to_address": event.recipient}
    return dict(event.extra)


def _engagement(event: MailEvent, match: Match, facts: Facts) -> dict[str, Any]:
    since = seconds_since_delivery(event, match, facts)
    verdict = classify(event.user_agent, provider_flag=event.machine, seconds_since_delivery=since)
    return {
        "machine": verdict.machine,
        "machine_rule": verdict.rule,
        "provider_machine": event.machine,
        "seconds_since_delivery": since,
    }


def seconds_since_delivery(event: MailEvent, match: Match, facts: Facts) -> float | None:
    """Return how long after its delivery (its sending, where that is all we know) a mail was opened; None where nothing is known."""
    keys = [(bare(id_), address(event)) for id_ in _ids(event)]
    arrived = next((facts.arrivals[key] for key in keys if key in facts.arrivals), None)
    if arrived is None and match.sent and match.by == "message_id":
        arrived = match.sent.sent_at
    if arrived is None or event.occurred_at is None:
        return None
    return round((event.occurred_at - arrived).total_seconds(), 3)


def _fitting(said: dict[str, Any]) -> dict[str, Any]:
    """Return a payload that an event can hold: texts that can be shown, no longer than their field, all of it small enough."""
    fitted = {name: _clipped(value, _LONG.get(name, 500)) for name, value in said.items()}
    if len(msgspec.json.encode(fitted)) > _PAYLOAD:
        fitted = {name: _clipped(value, 200) for name, value in said.items()}
    return {
        name: value
        for name, value in fitted.items()
        if value not in (None, "", [], {}) or name in ("machine", "url")
    }


def _clipped(value: Any, most: int) -> Any:
    if isinstance(value, str):
        return _UNPRINTABLE.sub("", value)[:most]
    if isinstance(value, dict):
        return {
            _clipped(str(name), 100): _clipped_inside(inner)
            for name, inner in list(value.items())[:_METADATA]
        }
    if isinstance(value, list):
        return [_clipped_inside(inner) for inner in value[:_METADATA]]
    return value


def _clipped_inside(value: Any) -> Any:
    """Return a value of the sender's own: a number, a truth or a short text; what is nested or huge becomes text."""
    if value is None or isinstance(value, (bool, float)) or (isinstance(value, int) and abs(value) < 2**53):
        return value
    return _clipped(value if isinstance(value, str) else msgspec.json.encode(value).decode(), 300)


def _act(session: Session, tenant: int, source: str, id_: UUID, event: MailEvent, match: Match) -> str | None:
    """Keep who may not be written to any more; return why the contact's sequences end, or None where they go on."""
    to, ends = _whom(event, match), None
    if source == "inbound" and match.contact is None:
        return None  # a mail that anybody could have written is believed only of people that we know
    if event.kind == "delivered":
        suppression.forget_soft_bounces(session, tenant, to)
    elif event.kind == "replied":
        ends = "replied"
    elif event.kind == "subscribed":
        suppression.set_consent(session, tenant, to, True, "provider")
        if suppression.check(session, tenant, to) == "unsubscribed":
            suppression.remove(session, tenant, to)
    elif reason := _blocked(session, tenant, event, to):
        ends = {"complaint": "complained", "unsubscribed": "unsubscribed"}.get(reason, "bounced")
        if "@" in to:
            suppression.add(session, tenant, to, reason, cause_id=id_)
    return ends


def _whom(event: MailEvent, match: Match) -> str:
    """Return the address that we wrote to: a report may hide it, or name the one that the mail was forwarded to."""
    return match.sent.recipient if match.sent and match.by == "message_id" else address(event)


def _blocked(session: Session, tenant: int, event: MailEvent, to: str) -> str | None:
    """Return why an address is not to be written to any more after this, or None."""
    if event.kind == "complained":
        return "complaint"
    if event.kind == "unsubscribed":
        suppression.set_consent(session, tenant, to, False, "provider")
        return "unsubscribed"
    if event.kind == "rejected" and event.reject_reason == "invalid":
        return "invalid address"
    if (event.type or _TYPES[event.kind]) != "email.bounced":
        return None
    if event.bounce_type == "hard":
        return "hard bounce"
    limit = settings().soft_bounce_limit
    return f"{limit} soft bounces" if suppression.count_soft_bounce(session, tenant, to) >= limit else None
