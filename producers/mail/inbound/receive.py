"""Accept a mail or an mbox file: classify each mail, and record what it reports."""

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

import structlog
from sqlalchemy.exc import DataError
from sqlalchemy.orm import Session

from activity.address import canonical
from activity.errors import ActivityError
from db.engine import begin
from db.mail import reports, sent, unreadable
from db.sequences import mailboxes
from producers.mail import reading, report
from producers.mail.event import MailEvent, ReportKind
from producers.mail.inbound import subject
from producers.mail.inbound.bounces import Action, Failure
from producers.mail.inbound.classify import Inbound, MailClass, read_mail
from producers.mail.matching import bare

log = structlog.get_logger()

_MAX_MAILS = 100  # of an mbox file
_FROM_LINE = re.compile(rb"(?:\A|(?<=\n\n))From [^\n]*\d{4}[^\n]*\n")
_KINDS_OF_ACTIONS: Mapping[Action, ReportKind] = {
    "failed": "bounced",
    "delayed": "deferred",
    "delivered": "delivered",
}
_KINDS: Mapping[MailClass, ReportKind] = {
    "complaint": "complained",
    "opt_out": "unsubscribed",
    "auto_reply": "autoresponded",
}


def receive_mail(tenant: int, raw: bytes) -> list[dict[str, object]]:
    """Accept a mail of a workspace, or those of an mbox file; on return all that they report is durable.

    Returns for each its class, and how many events are new and repeated.
    """
    with begin("producer", tenant) as session:
        results = [record_or_set_aside(session, tenant, "inbound", one) for one in split_mbox(raw)]
    for result in results:
        log.info("mail_received", tenant_id=tenant, **result)
    return results


def split_mbox(raw: bytes) -> list[bytes]:
    """Return the mails of an mbox file, which begins with a From line; any other mail is one."""
    if not raw.startswith(b"From "):
        return [raw]
    return [part for part in _FROM_LINE.split(raw.replace(b"\r\n", b"\n")) if part.strip()][:_MAX_MAILS]


def record_or_set_aside(session: Session, tenant: int, source: str, raw: bytes) -> dict[str, object]:
    """Record what a mail reports, or set it aside with the reason; return its class and what was new."""
    try:
        with session.begin_nested():
            return record(session, tenant, read_mail(raw))
    except (ActivityError, DataError) as error:
        log.warning("mail_unreadable", tenant_id=tenant, source=source, reason=str(error)[:200])
        unreadable.add(session, tenant, source, raw, str(error))
        return {"class": "unreadable", "new": 0, "repeated": 0, "kinds": {}}


def record(session: Session, tenant: int, found: Inbound) -> dict[str, object]:
    """Record what a mail reports, in the session's transaction; return its class and what was new."""
    if _by_own_mailbox(session, tenant, found):
        events = [_sent_by_hand(found)]
    else:
        events = events_of(found, answers=_answers(session, tenant, found))
    by_id = {report.event_id("inbound", event): event for event in events}
    fresh = reports.unseen(session, tenant, by_id.keys())
    new = [(id_, event) for id_, event in by_id.items() if id_ in fresh]
    report.record(session, tenant, "inbound", new, source="inbound")
    return {
        "class": found.class_,
        "new": len(new),
        "repeated": len(by_id) - len(new),
        "kinds": dict(Counter(event.kind for event in by_id.values())),
    }


def _by_own_mailbox(session: Session, tenant: int, found: Inbound) -> bool:
    """Return whether a mailbox of the workspace wrote a mail: a copy of what was sent is nobody's answer."""
    if found.class_ in ("bounce", "delayed", "delivered", "complaint") or not found.from_address:
        return False
    return canonical(found.from_address) in mailboxes.addresses(session, tenant)


def _answers(session: Session, tenant: int, found: Inbound) -> bool:
    """Return whether a mail surely answers one of ours.

    It names its id, or carries its subject and comes from whom the last mail went to: some programs keep
    nothing else. An answer in another thread is none.
    """
    if found.class_ not in ("reply", "other"):
        return False
    named = {bare(one) for one in (*found.in_reply_to, *found.references)}
    if sent.sent_by_id(session, tenant, named):
        return True
    address = canonical(found.from_address or "")
    last = sent.sent_to(session, tenant, [address]).get(address)
    return last is not None and subject.answers(found.subject or "", last.subject)


def _sent_by_hand(found: Inbound) -> MailEvent:
    """Return that a person of ours wrote a mail; of one that a sequence sent, this adds nothing."""
    return _event(
        found, "sent", recipient=found.to_address, header_id=found.message_id, subject=found.subject
    )


def events_of(found: Inbound, *, answers: bool = False) -> list[MailEvent]:
    """Return the events that a mail makes: one for each recipient of a report, else one."""
    if found.failures and found.class_ in ("bounce", "delayed", "delivered"):
        return [_failure(found, failure) for failure in found.failures]
    if found.class_ in ("complaint", "opt_out"):
        return [_complaint(found, _KINDS[found.class_])]
    if found.class_ == "receipt":
        return [_event(found, "read", recipient=found.from_address, header_id=found.reported)]
    return [_reply(found, "replied" if answers else _KINDS.get(found.class_, "received"))]


def _failure(found: Inbound, failure: Failure) -> MailEvent:
    return _event(
        found,
        _KINDS_OF_ACTIONS[failure.action],
        identity=reading.identity(found.identity, failure.recipient, failure.action),
        recipient=failure.recipient,
        header_id=found.reported,
        status=failure.status,
        reason=failure.diagnostic,
        reject_reason=failure.reason,
        bounce_type=failure.bounce_type,
    )


def _complaint(found: Inbound, kind: ReportKind) -> MailEvent:
    return _event(
        found,
        kind,
        recipient=found.recipient,
        header_id=found.reported,
        feedback_type=found.feedback_type,
        method="report" if found.feedback_type or found.reported else "reply",
        references=() if found.reported else (*found.in_reply_to, *reversed(found.references)),
    )


def _reply(found: Inbound, kind: ReportKind) -> MailEvent:
    before = [*found.in_reply_to, *reversed(found.references)]
    extra = {
        "from_address": found.from_address,
        "from_name": found.from_name,
        "excerpt": found.text[:1000],
        "reply_message_id": found.message_id,
        "in_reply_to": before[0] if before else None,
    }
    return _event(
        found,
        kind,
        recipient=found.from_address,
        message_id=found.message_id,
        references=tuple(before),
        subject=found.subject,
        extra=extra,
    )


def _event(found: Inbound, kind: ReportKind, **fields: Any) -> MailEvent:
    of_mail = {"name": found.class_, "occurred_at": found.sent_at, "identity": found.identity}
    return MailEvent(kind=kind, **of_mail | fields)
