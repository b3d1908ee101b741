"""Signals: rules over what passes changed and over the timeline.

A rule fires once per record and window, and names its evidence.
"""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import NamedTuple
from uuid import NAMESPACE_URL, uuid5

from sqlalchemy.orm import Session

from activity.event import Event, RecordedEvent, system_id
from db.enrichment import signals
from db.records.values import EnrichedKind
from producers.signals.configuration import SignalRule, event_rules
from worker.emit import emit

_SIGNALS = uuid5(NAMESPACE_URL, "signal.detected")


class ObservedChange(NamedTuple):
    """A field that a pass changed, and the provider of its new value."""

    field: str
    before: object
    after: object
    provider: str


def of_changes(
    session: Session,
    rules: Iterable[SignalRule],
    kind: EnrichedKind,
    event: Event,
    changes: Iterable[ObservedChange],
) -> list[Event]:
    """Return the signals in what a pass changed, to be emitted in its transaction.

    `event` is the pass's own; it is their cause.
    """
    by_field = {change.field: change for change in changes}
    return [
        signal
        for rule in rules
        if rule.kind == kind and (change := by_field.get(rule.field or "")) and _shows(rule, change)
        for signal in _fire(session, rule, event, _evidence(change))
    ]


def _evidence(change: ObservedChange) -> dict[str, object]:
    field, before, after, provider = change
    return {"field": field, "from": before, "to": after, "provider": provider}


def _shows(rule: SignalRule, change: ObservedChange) -> bool:
    if rule.change == "increases":
        least = rule.at_least if rule.at_least is not None else 1e-9
        return _number(change.after) - _number(change.before) >= least
    after = set(_texts(change.after))
    if rule.change == "gains":
        after -= set(_texts(change.before))
        return rule.value.lower() in after if rule.value is not None else bool(after)
    return rule.value is None or rule.value.lower() in after


def _number(value: object) -> int | float:
    return value if isinstance(value, int | float) else 0


def _texts(value: object) -> list[str]:
    items = value if isinstance(value, list) else [] if value is None else [value]
    return [str(item).lower() for item in items]


def examine(session: Session, tenant: int, events: Sequence[RecordedEvent]) -> None:
    """Emit the signals in events of the timeline: the handler of the durable follower `signals`."""
    rules = event_rules()
    found = [
        signal
        for event in events
        for rule in rules
        if event.type in rule.events
        for signal in _in_event(session, tenant, rule, event)
    ]
    emit(session, found)


def _in_event(session: Session, tenant: int, rule: SignalRule, event: RecordedEvent) -> list[Event]:
    subject = _subject(rule, event)
    if subject is None or not matches(rule, event):
        return []
    evidence: dict[str, object] = {"event": event.type}
    if rule.count > 1:
        seen = _count(tenant, rule, subject, event)
        if seen < rule.count:
            return []
        evidence |= {"count": seen, "within_hours": rule.within_hours}
    return _fire(session, rule, event, evidence)


def _subject(rule: SignalRule, event: Event | RecordedEvent) -> str | None:
    return event.account_id if rule.kind == "account" else event.contact_id


def matches(rule: SignalRule, event: RecordedEvent) -> bool:
    """Return whether an event is one that the rule counts."""
    payload = event.fields()
    if event.is_erased or (rule.human and payload.get("machine") is True):
        return False
    return all(str(payload.get(name, "")).lower() == value.lower() for name, value in rule.payload.items())


def _count(tenant: int, rule: SignalRule, subject: str, event: RecordedEvent) -> int:
    until = event.occurred_at
    since = until - timedelta(hours=rule.within_hours)
    return signals.count_events(
        tenant, rule.kind, subject, rule.events, since, until, human=rule.human, payload=rule.payload
    )


def _fire(
    session: Session, rule: SignalRule, cause: Event | RecordedEvent, evidence: dict[str, object]
) -> list[Event]:
    """Return the signal, or none where the rule has fired for the record in this window."""
    record, at = _subject(rule, cause), cause.occurred_at
    if record is None or not signals.fire(
        session, cause.tenant_id, rule.rule, rule.kind, record, at, rule.window
    ):
        return []
    payload = {"signal": rule.signal, "rule": rule.rule, "rule_version": rule.version, "evidence": evidence}
    optional = {"name": rule.name, "score": rule.score}
    return [
        Event(
            event_id=system_id(_SIGNALS, f"{rule.rule}:{rule.version}:{cause.event_id}"),
            tenant_id=cause.tenant_id,
            type="signal.detected",
            payload=payload | {name: value for name, value in optional.items() if value is not None},
            source="signals",
            account_id=cause.account_id,
            contact_id=cause.contact_id,
            record_type="signal",
            record_id=rule.rule,
            cause_id=cause.event_id,
            occurred_at=at,
        )
    ]
