"""Try a playbook without effect: on one event, or over the log as it is."""

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from activity.event import RecordedEvent
from db.engine import begin
from db.log import heads
from db.log.reading import by_seq
from db.playbooks import playbooks, runs, starts
from db.playbooks.playbooks import Enabled
from producers.playbooks.definition import cache
from producers.playbooks.definition.conditions import Expression, InvalidExpression
from producers.playbooks.definition.document import (
    Branch,
    EventTrigger,
    ScheduleTrigger,
    Stop,
    WaitForEvent,
    WaitForTime,
    names,
)
from producers.playbooks.definition.program import Program
from producers.playbooks.facts import Load, facts_of, record_loader
from producers.playbooks.matching import (
    MAX_CAUSES,
    Gate,
    Index,
    Play,
    TriggerMatch,
    matches,
    once_key,
    subjects,
)
from producers.playbooks.schedule import tried

_PAGE = 2_000
_LATELY = 100_000  # events over which an outlook looks back
_HIDDEN = ("title", "note", "message", "text", "name", "value", "secret")  # texts stand apart


@dataclass
class Backtest:
    """What a backtest found; `starts` are the events that would have started it, in the order of the log."""

    examined: int = 0
    matched: int = 0
    starts: list[UUID] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0


def backtest(tenant: int, program: Program, after: int = 0, until: int | None = None) -> Backtest:
    """Return what a playbook enabled at number `after` of the log would have started, with today's records.

    The same code decides as live; only the rate limit, which delays and drops nothing, plays no part.
    """
    trial, began = Backtest(), time.monotonic()
    play = Play(Enabled(0, 0, after), program)
    index, gate = Index([play]), Gate({})
    with begin("producer", tenant) as session:
        for page in _pages(tenant, after, until):
            load = record_loader(session, tenant)
            trial.examined += len(page)
            found = matches(index, page, load)
            trial.matched += len(found)
            gate.ancestry = _ancestry(session, found)
            for match in found:
                refusal = gate.refusal(match)
                if refusal is None:
                    trial.starts.append(match.event.event_id)
                else:
                    trial.refused[_kind(refusal.reason)] += 1
    trial.seconds = time.monotonic() - began
    return trial


def listening(tenant: int) -> list[tuple[str, str]]:
    """Return the enabled playbooks that events start, by name, and how old an event may be to start each."""
    found = []
    with begin("producer", tenant) as session:
        for one in playbooks.list_enabled(session, tenant):
            program = cache.program(session, one.id, one.version)
            if isinstance(program.definition.trigger, EventTrigger):
                found.append((program.name, program.definition.trigger.max_age))
    return sorted(found)


def outlook(tenant: int, ref: str) -> str:
    """Return in words what enabling a saved playbook may start. Raises PlaybookNotFound."""
    with begin("reader", tenant) as session:
        playbook = playbooks.find(session, tenant, ref)
        program = cache.program(session, playbook.id, playbook.version)
        held = len(runs.held(session, playbook.id))
        head = heads.head(session, tenant).seq
    begins = f"{held:,} runs that its pause held begin; " if held else ""
    trigger = program.definition.trigger
    if isinstance(trigger, ScheduleTrigger):
        with begin("producer", tenant) as session:
            met = sum(is_met for _, is_met in tried(session, tenant, program, trigger.for_each))
        return f"{begins}as records are now, {met:,} would start at {program.next_moment(datetime.now(UTC))}"
    found = backtest(tenant, program, after=max(0, head - _LATELY))
    return (
        f"{begins}of the last {found.examined:,} events, {found.matched:,} met its trigger and conditions,"
        f" and {len(found.starts):,} would have started it"
    )


def _pages(tenant: int, after: int, until: int | None) -> Iterator[list[RecordedEvent]]:
    while True:
        with begin("reader", tenant) as reader:
            page = by_seq.after(reader, tenant, after, _PAGE).events
        page = [event for event in page if until is None or event.seq <= until]
        if not page:
            return
        yield page
        after = page[-1].seq


def _ancestry(session: Session, found: list[TriggerMatch]) -> dict[UUID, starts.Ancestry]:
    caused = {match.event.event_id for match in found if match.event.cause_id}
    return starts.ancestry(session, caused, MAX_CAUSES) if caused else {}


def _kind(reason: str) -> str:
    """Return a reason without what differs from one event to the next."""
    if reason.startswith("started for"):
        return "within the cooldown" if reason.endswith("cooldown") else "started before (once_per)"
    return reason


def dry_run(session: Session, tenant: int, program: Program, event: RecordedEvent) -> tuple[str, list[str]]:
    """Return whether an event would start the playbook, in words, and what would be done, line by line.

    Nothing is changed. A wait is assumed to
    end with the awaited event, whose own steps on a timeout are shown as such.
    """
    load = record_loader(session, tenant)
    saved = Play(Enabled(0, 0, 0), program)
    found = matches(Index([saved]), [event], load)
    if not found:
        return "no: " + _why_not(program, event, load), []
    key = once_key(found[0])
    gate = Gate({}, ancestry=_ancestry(session, found))
    refusal = gate.refusal(found[0])
    if refusal:
        return f"no: {refusal.reason}", []
    once = f"; once for {key[1]}" if key and key[1] else ""
    return f"yes{once}", list(_walk(program, found[0], load))


def _why_not(program: Program, event: RecordedEvent, load: Load) -> str:
    if Index([Play(Enabled(0, 0, 0), program)]).of(event.type) is None:
        return f"{event.type} is not its trigger"
    if program.max_age is not None and event.recorded_at - event.occurred_at > program.max_age:
        return "the event was older than max_age when it was recorded"
    facts = facts_of(subjects(event, {}), None, event, load)
    unmet = (f"{condition.text} {_verdict(condition, facts)}" for condition in program.conditions)
    return next((text for text in unmet if not text.endswith(" holds")), "a condition does not hold")


def _verdict(condition: Expression, facts: dict[str, object]) -> str:
    try:
        return "holds" if condition.value(facts) is True else "does not hold"
    except InvalidExpression as error:
        return f"has no value ({str(error).removeprefix(condition.text + ': ')})"


def _walk(program: Program, match: TriggerMatch, load: Load) -> Iterator[str]:
    facts = facts_of(match.subjects, match.event, match.event, load) | {"now": datetime.now(UTC)}
    at = 0
    while at < len(program.operations):
        operation = program.operations[at]
        step = operation.step
        if isinstance(step, Branch):
            met = operation.is_met(facts)
            yield f"{operation.label}. branch: {step.if_} {'holds' if met else 'does not hold'}"
            at = operation.next if met else operation.otherwise
            continue
        yield f"{operation.label}. {operation.kind}{_detail(step)}{_texts(operation.texts, facts)}"
        if isinstance(step, WaitForEvent):
            yield from (
                f"{one.label}. if none comes: {one.kind}"
                for one in program.operations[operation.otherwise : operation.next]
            )
        if isinstance(step, Stop):
            return
        at = operation.next


def _detail(step: Any) -> str:
    if isinstance(step, WaitForTime):
        return f" {step.for_}"
    if isinstance(step, WaitForEvent):
        return f" {' or '.join(names(step.event))} within {step.within}"
    values = {name: getattr(step, name) for name in step.__struct_fields__ if name not in _HIDDEN}
    return "".join(
        f" {name}={value}" for name, value in values.items() if value and isinstance(value, str | int | float)
    )


def _texts(texts: dict[str, Any], facts: dict[str, Any]) -> str:
    parts = []
    for name, template in texts.items():
        try:
            parts.append(f" {name}={template.fill(facts)!r}")
        except InvalidExpression as error:
            parts.append(f" {name}: FAILS, {error}")
    return "".join(parts)
