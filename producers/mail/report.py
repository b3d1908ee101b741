"""The entrance of a report.

Find its mail and contact, emit its event, draw the consequences, in one transaction.
"""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from sqlalchemy.orm import Session

from activity.event import system_id
from db.mail import deliveries, erased, sent, soft_bounces
from producers.mail import consequences, matching
from producers.mail.enrollments import stop
from producers.mail.event import MailEvent
from producers.mail.judge import judge
from producers.mail.matching import ReportMatch
from producers.mail.payload import event_of
from worker.emit import emit

# Any fixed one will do: the ids made of it are the same forever.
_NAMESPACE = UUID("9b2e1f0c-7a64-5d0e-8f5b-3c1d2e4f6a70")

_Matched = tuple[UUID, MailEvent, ReportMatch]


def event_id(provider: str, event: MailEvent) -> UUID:
    """Return the one id of what a provider reports: the same in every repeat."""
    return system_id(_NAMESPACE, f"{provider}/{event.identity}")


def record(
    session: Session,
    tenant: int,
    provider: str,
    reports: Sequence[tuple[UUID, MailEvent]],
    *,
    source: str | None = None,
) -> int:
    """Emit what was reported, in the session's transaction, and draw the consequences.

    Return how many events.

    A report that no contact is found for is an event about its message. A report that the engine's own mail
    was sent makes no event: the engine emitted it.
    """
    if provider != "inbound":  # whose reader knows more of the words than the event holds
        reports = [(id_, _judged(event)) for id_, event in reports]
    known = matching.look_up(session, tenant, [event for _, event in reports])
    matched = _without_erased(
        session, tenant, [(id_, event, matching.match(event, known)) for id_, event in reports]
    )
    deliveries.record(session, tenant, matching.arrivals_of([event for _, event, _ in matched]))
    events = [
        event_of(tenant, source or f"webhook:{provider}", provider, id_, event, match, known)
        for id_, event, match in matched
        if not (event.kind in matching.SENT and match.sent)
    ]
    emit(session, events)
    _draw_consequences(session, tenant, provider, matched)
    return len(events)


def _without_erased(session: Session, tenant: int, matched: Sequence[_Matched]) -> list[_Matched]:
    """Return the reports, without the person where their address was erased and is no contact's again."""
    strangers = [matching.address(event) for _, event, match in matched if match.contact is None]
    hashes = erased.hashes(session, tenant, strangers)
    return [
        (id_, event if match.contact else _hidden(event, hashes.get(matching.address(event))), match)
        for id_, event, match in matched
    ]


def _hidden(event: MailEvent, hash_: str | None) -> MailEvent:
    """Return a report with a hash for its address, and no words of anybody."""
    if hash_ is None:
        return event
    return replace(
        event,
        recipient=hash_,
        reason=None,
        reject_reason=None,
        subject=None,
        user_agent=None,
        url=None,
        extra={},
        tags=(),
        metadata={},
    )


def _judged(event: MailEvent) -> MailEvent:
    """Return a bounce with the judge's verdict.

    A provider calls hard what its words say of us or of the mail.
    """
    if event.event_type != "email.bounced":
        return event
    verdict = judge(status=event.status, words=event.reason or "", claimed=event.bounce_type)
    return replace(event, bounce_type=verdict.bounce_type)


def _draw_consequences(session: Session, tenant: int, provider: str, matched: Sequence[_Matched]) -> None:
    contacts = [match.contact.contact_id for _, _, match in matched if match.contact]
    enrolled = sent.enrolled(session, tenant, contacts)
    addresses = [matching.recipient(event, match) for _, event, match in matched]
    soft_bounced = soft_bounces.counted(session, tenant, addresses)
    for id_, event, match in matched:
        to = matching.recipient(event, match)
        if event.kind == "delivered" and to not in soft_bounced:
            continue  # nothing follows from most deliveries
        ends = consequences.apply(session, tenant, provider, id_, event, match)
        if event.kind == "bounced":
            soft_bounced.add(to)
        if ends and match.contact and match.contact.contact_id in enrolled:
            stop(session, tenant, match.contact.contact_id, ends, cause_id=id_)
