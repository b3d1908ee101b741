"""Signals: rules over what passes changed and over the timeline. A rule fires once per record and window, and names its evidence."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import msgspec
from sqlalchemy.orm import Session

from activity.event import Event, RecordedEvent
from db.enrichment import signals as fired
from producers.enrichment.configuration import Rule, configuration
from worker.emit import emit

_SIGNALS = uuid5(NAMESPACE_URL, "signal.detected")


def of_changes(
    session: Session, rules: Iterable[Rule], kind: str, event: Event, changes: Sequence[Mapping[str, Any]]
) -> list[Event]:
    """Return the signals in what a pass changed, to be said in its transaction; `event` is the pass's own, and their cause."""
    by_field = {change["field"]: change for change in changes}
    found = []
    for rule in rules:
        change = by_field.get(rule.field or "")
        if change is None or rule.kind != kind or not _shows(rule, change.get("from"), change.get("to")):
            continue
        evidence = {
            "field": change["field"],
            "from": change.get("from"),
            "to": change.get("to"),
            "provider": change.get("provider"),
        }
        found += _fire(session, rule, event, event.occurred_at, evidence)
    return found


def _shows(rule: Rule, before: Any, after: Any) -> bool:
    if rule.change == "increases":
        numbers = [value if isinstance(value, int | float) else 0 for value in (before, after)]
        return numbers[1] - numbers[0] >= (rule.at_least if rule.at_least is not None else 1e-9)
    if rule.change == "gains":
        gained = set(_texts(after)) - set(_texts(before))
        return rule.value.lower() in gained if rule.value is not None else bool(gained)
    return rule.value is None or rule.value.lower() in _texts(after)


def _texts(value: Any) -> list[str]:
    return [
        str(item).lower() for item in (value if isinstance(value, list) else [] if value is None else [value])
    ]


def examine(session: Session, tenant: int, events: Sequence[RecordedEvent]) -> None:
    """Say the signals in events of the timeline: the handler of the durable follower `signals`."""
    rules = [rule for rule in configuration().signals if rule.events]
    found = [
        signal
        for event in events
        for rule in rules
        if event.type in rule.events
        for signal in _in_event(session, tenant, rule, event)
    ]
    emit(session, found)


def _in_event(session: Session, tenant: int, rule: Rule, event: RecordedEvent) -> list[Event]:
    subject = event.account_id if rule.kind == "account" else event.contact_id
    if subject is None or not matches(rule, event):
        return []
    evidence: dict[str, Any] = {"event": event.type}
    if rule.count > 1:
        since = event.occurred_at - timedelta(hours=rule.within_hours)
        seen = fired.count_events(
            tenant,
            rule.kind,
            subject,
            rule.events,
            since,
            event.occurred_at,
            human=rule.human,
            payload=rule.payload,
        )
        if seen < rule.count:
            return []
        evidence |= {"count": seen, "within_hours": rule.within_hours}
    return _fire(session, rule, event, event.occurred_at, evidence)


def matches(rule: Rule, event: RecordedEvent) -> bool:
    """Say whether an event is one that the rule counts."""
    payload = msgspec.json.decode(event.payload)
    if not isinstance(payload, dict) or (rule.human and payload.get("machine") is True):
        return False
    return all(str(payload.get(name, "")).lower() == value.lower() for name, value in rule.payload.items())


def _fire(
    session: Session, rule: Rule, cause: Event | RecordedEvent, at: datetime, evidence: dict[str, Any]
) -> list[Event]:
    record = cause.account_id if rule.kind == "account" else cause.contact_id
    if record is None or not fired.fire(
        session, cause.tenant_id, rule.rule, rule.kind, record, at, rule.window
    ):
        return []
    payload = {"signal": rule.signal, "rule": rule.rule, "rule_version": rule.version, "evidence": evidence}
    payload |= {
        name: value for name, value in (("name", rule.name), ("score", rule.score)) if value is not None
    }
    return [
        Event(
            event_id=uuid5(_SIGNALS, f"{rule.rule}:{rule.version}:{cause.event_id}"),
            tenant_id=cause.tenant_id,
            type="signal.detected",
            payload=payload,
            source="signals",
            account_id=cause.account_id,
            contact_id=cause.contact_id,
            record_type="signal",
            record_id=rule.rule,
            cause_id=cause.event_id,
            occurred_at=at,
        )
    ]
