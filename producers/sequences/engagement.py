"""What the recipient of a sequence's mail does with it: opens it, follows a link, unsubscribes.

A machine's visit is marked as such.
"""

import itertools
from collections.abc import Hashable, Iterator
from datetime import UTC, datetime
from threading import Lock
from typing import NamedTuple
from uuid import UUID

from cachetools import TTLCache
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from activity.event import Event
from db.engine import begin
from db.mail import erased
from db.mail.suppression import Provenance
from db.sequences import messages
from db.sequences.messages import SequenceMessage
from producers.mail.enrollments import event_id, sequence_event, stop
from producers.mail.machine import classify
from producers.mail.suppressions import opt_out
from producers.sequences.tracking import Target
from worker.emit import emit

_MOST_VISITS = 200  # of one mail, all its links together: who has a link could write into the log forever
_MOST_REPEATS = 20  # a minute, of one visitor on one link: so none uses up the share of the others at once
_LONGEST_AGENT = 1000


class Visit(NamedTuple):
    """How the recipient came, as the request tells."""

    user_agent: str
    referrer: str = ""
    method: str = "GET"


class Repeats:
    """How often the same was seen within a minute of its first time, in this process."""

    def __init__(self) -> None:
        self._counts: TTLCache[Hashable, Iterator[int]] = TTLCache(10_000, 60)
        self._lock = Lock()

    def count(self, what: Hashable) -> int:
        """Return how often it was seen, this time included."""
        with self._lock:
            return next(self._counts.setdefault(what, itertools.count(1)))


_repeats = Repeats()


def opened(target: Target, visit: Visit) -> bool:
    """Record that a mail's pixel was fetched; return False where the mail is no longer known."""
    return _record("email.opened", target, visit, {})


def clicked(target: Target, visit: Visit) -> bool:
    """Record that a link of a mail was followed; return False where the mail is no longer known."""
    return _record("email.clicked", target, visit, {"url": target.url})


def recipient(target: Target) -> str | None:
    """Return the address that a mail was sent to: "" after its erasure, None where the mail is not known."""
    with begin("producer", target.tenant) as session:
        message = messages.by_row(session, target.message)
        if message is None and erased.target(session, target.tenant, target.message) is not None:
            return ""
    return None if message is None else message.recipient


def unsubscribe(target: Target, method: str) -> str | None:
    """Suppress a mail's recipient and end their enrollments; emit one event however often it is called.

    Return the address: "" after its erasure, when no event tells of it; None where the mail is not known.
    """
    with begin("producer", target.tenant) as session:
        message = messages.by_row(session, target.message)
        if message is None:
            return _unsubscribe_erased(session, target)
        tenant, cause = message.tenant_id, uuid7()
        if opt_out(session, tenant, message.recipient, Provenance("link", cause_id=cause)):
            emit(session, _event("email.unsubscribed", message, {"method": method}, cause))
        stop(session, tenant, message.contact_id, "unsubscribed", cause_id=cause)
    return message.recipient


def _unsubscribe_erased(session: Session, target: Target) -> str | None:
    hidden = erased.target(session, target.tenant, target.message)
    if hidden is None:
        return None
    opt_out(session, target.tenant, hidden, Provenance("link"))
    return ""


def _record(kind: str, target: Target, visit: Visit, more: dict[str, object]) -> bool:
    """Record a visit, unless the visitor comes too often or the mail has had its share of visits."""
    if _repeats.count((kind, target, visit)) > _MOST_REPEATS:
        return True
    with begin("producer", target.tenant) as session:
        message = messages.by_row(session, target.message)
        if message is None:
            return False
        if messages.count_visit(session, message.id, _MOST_VISITS):
            emit(session, _event(kind, message, more | _verdict(message, visit), uuid7()))
    return True


def _verdict(message: SequenceMessage, visit: Visit) -> dict[str, object]:
    """Return the judgement on a visit, with the evidence that a later one needs."""
    since = None if message.sent_at is None else (datetime.now(UTC) - message.sent_at).total_seconds()
    verdict = classify(
        visit.user_agent, seconds_since_delivery=since, method=visit.method, referrer=visit.referrer or None
    )
    agent = "".join(character if character.isprintable() else " " for character in visit.user_agent)
    return {
        "machine": verdict.machine,
        "machine_rule": verdict.rule,
        "user_agent": agent[:_LONGEST_AGENT],
        "method": visit.method,
        "seconds_since_delivery": since,
    }


def _event(kind: str, message: SequenceMessage, more: dict[str, object], id_: UUID) -> Event:
    payload = {
        "subject": message.subject,
        "recipient": message.recipient,
        "message_id": f"<{message.message_id}>",
        "sequence": message.sequence,
        "step": message.step,
        "variant": message.variant,
        **more,
    }
    sent = event_id(message.tenant_id, "sent", message.id)
    return sequence_event(kind, message, ("thread", message.thread_id), id_, sent, payload)
