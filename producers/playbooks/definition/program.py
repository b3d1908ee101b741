"""A definition ready to run: a flat list of operations whose jumps all go forward, so that every run ends."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from activity.catalogue import CATALOGUE, nearest
from producers.playbooks.definition.conditions import (
    Equality,
    Expression,
    ExpressionLanguage,
    InvalidExpression,
    TextTemplate,
    language,
)
from producers.playbooks.definition.document import (
    Branch,
    CallWebhook,
    CreateTask,
    EventTrigger,
    Notify,
    PlaybookDefinition,
    PlaybookStep,
    ScheduleTrigger,
    UpdateField,
    WaitForEvent,
    load,
    names,
    span,
)
from producers.playbooks.definition.names import RECORDS, Facts, built_in
from producers.playbooks.definition.source import Fault, InvalidPlaybook, Path

MAX_STEPS, MAX_DEPTH = 100, 8
MAX_SPAN = timedelta(days=366)
_TEXTS = ("title", "note", "message", "text", "name", "value")


@dataclass(slots=True)
class Operation:
    """One step at its place: where the run goes from here, and what it evaluates."""

    step: PlaybookStep
    label: str  # as people count: 3, or 3.then.1
    next: int = 0
    otherwise: int = 0  # after a timeout, or where a branch's condition is not met
    conditions: tuple[Expression, ...] = ()
    texts: dict[str, TextTemplate] = field(default_factory=dict)

    def is_met(self, facts: Facts) -> bool:
        """Return whether all conditions of the step hold."""
        return all(condition.holds(facts) for condition in self.conditions)

    @property
    def kind(self) -> str:
        """The name of what the step does, such as create_task."""
        return str(self.step.__struct_config__.tag)


@dataclass(eq=False)
class Program:
    """A playbook that can run: its operations, and what decides whether it starts."""

    definition: PlaybookDefinition
    operations: tuple[Operation, ...]
    conditions: tuple[Expression, ...]

    @property
    def name(self) -> str:
        """The playbook's name."""
        return self.definition.playbook.name

    @cached_property
    def of_event(self) -> tuple[Expression, ...]:
        """The conditions that need the event alone."""
        return tuple(condition for condition in self.conditions if not condition.records)

    @cached_property
    def of_records(self) -> tuple[Expression, ...]:
        """The conditions that need records."""
        return tuple(condition for condition in self.conditions if condition.records)

    @cached_property
    def equality(self) -> Equality | None:
        """What must be so at an event for the conditions to hold: by it the playbook is found."""
        return next((condition.equality for condition in self.conditions if condition.equality), None)

    @cached_property
    def events(self) -> tuple[str, ...]:
        """The event names and patterns that start it."""
        trigger = self.definition.trigger
        return names(trigger.event) if isinstance(trigger, EventTrigger) else ()

    @cached_property
    def max_age(self) -> timedelta | None:
        """How old an event may be when it is recorded; None is any age."""
        trigger = self.definition.trigger
        if not isinstance(trigger, EventTrigger) or trigger.max_age == "any":
            return None
        return span(trigger.max_age)

    @cached_property
    def cooldown(self) -> timedelta | None:
        """How long after a start it may start again for the same subject; None is never."""
        return span(self.definition.playbook.cooldown) if self.definition.playbook.cooldown else None

    def next_moment(self, after: datetime) -> datetime | None:
        """Return when the schedule comes next; None without one."""
        trigger = self.definition.trigger
        if not isinstance(trigger, ScheduleTrigger):
            return None
        return next(CronSim(trigger.schedule, after.astimezone(ZoneInfo(trigger.zone)))).astimezone(UTC)


def build(text: str) -> Program:
    """Return the program of a YAML definition.

    Raises InvalidPlaybook with every mistake found, each with its line and field.
    """
    definition = load(text)
    builder = _Builder(definition)
    program = builder.program()
    if builder.faults:
        raise InvalidPlaybook(sorted(builder.faults))
    return program


class _Builder:
    def __init__(self, definition: PlaybookDefinition) -> None:
        self._definition = definition
        self.faults: list[Fault] = []
        self._operations: list[Operation] = []

    def program(self) -> Program:
        playbook, trigger = self._definition.playbook, self._definition.trigger
        started_by: tuple[str, ...] = ()
        if isinstance(trigger, EventTrigger):
            started_by = self._event_names(trigger.event, ("trigger", "event"))
            self._check_span(trigger.max_age.removeprefix("any"), ("trigger", "max_age"))
        elif isinstance(trigger, ScheduleTrigger):
            self._check_schedule(trigger)
        self._check_span(playbook.cooldown, ("cooldown",))
        if playbook.cooldown and playbook.once_per == "event":
            self._fault(("cooldown",), "a cooldown needs once_per: account, contact or opportunity")
        at_start = language(tuple(built_in(started_by)))
        conditions = [
            self._condition(at_start, text, ("conditions", at)) for at, text in enumerate(playbook.conditions)
        ]
        self._add(playbook.steps, ("steps",), "", language(()), 0)
        return Program(self._definition, tuple(self._operations), tuple(filter(None, conditions)))

    def _fault(self, path: Path, message: str) -> None:
        self.faults.append(self._definition.source.fault(path, message))

    def _event_names(self, texts: str | list[str], path: Path) -> tuple[str, ...]:
        for name in names(texts):
            near = None if name in CATALOGUE or name.endswith("*") else nearest(name)
            if near:
                self._fault(path, f"no event type {name!r}; did you mean {near!r}?")
            elif name.endswith(".*") and not built_in([name]) and nearest(name.removesuffix(".*") + ".x"):
                self._fault(path, f"no event type begins with {name.removesuffix('*')!r}")
        return names(texts)

    def _check_span(self, duration: str | None, path: Path) -> None:
        if duration and span(duration) > MAX_SPAN:
            self._fault(path, f"{duration} is too long: 366d at most")

    def _check_schedule(self, trigger: ScheduleTrigger) -> None:
        try:
            ZoneInfo(trigger.zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            self._fault(
                ("trigger", "zone"), f"no time zone {trigger.zone!r}; write one such as Europe/Berlin"
            )
            return
        try:
            next(CronSim(trigger.schedule, datetime.now(UTC)))
        except (CronSimError, StopIteration):
            self._fault(
                ("trigger", "schedule"),
                "write five cron fields: minute hour day month weekday, such as '0 8 * * 1-5'",
            )

    def _condition(self, of: ExpressionLanguage, text: str, path: Path) -> Expression | None:
        try:
            return of.compile(text, ("BOOL", "DYN"))
        except InvalidExpression as error:
            self._fault(path, str(error))
            return None

    def _add(
        self, steps: tuple[Any, ...], path: Path, label: str, of: ExpressionLanguage, depth: int
    ) -> None:
        """Append the operations of a list of steps."""
        if depth > MAX_DEPTH:
            self._fault(path, f"steps are nested more than {MAX_DEPTH} deep")
            return
        for at, step in enumerate(steps):
            here, name = (*path, at), f"{label}{at + 1}"
            if len(self._operations) == MAX_STEPS:
                self._fault(here, f"more than {MAX_STEPS} steps")
            if len(self._operations) >= MAX_STEPS:
                return
            operation = Operation(step, name, texts=dict(self._texts(step, here, of)))
            self._operations.append(operation)
            self._check(step, here)
            self._nest(operation, here, of, depth)

    def _nest(self, operation: Operation, here: Path, of: ExpressionLanguage, depth: int) -> None:
        """Append the steps within a step, and say where the run goes from it."""
        step = operation.step
        operation.next = len(self._operations)
        if isinstance(step, Branch):
            operation.conditions = self._all(of, (step.if_,), (*here, "if"))
            self._add(step.then, (*here, "then"), f"{operation.label}.then.", of, depth + 1)
            then = self._operations[operation.next :]
            operation.otherwise = len(self._operations)
            self._add(step.else_, (*here, "else"), f"{operation.label}.else.", of, depth + 1)
            self._skip_else(then, operation.otherwise)
            if not step.then:
                operation.next = len(self._operations)
        elif isinstance(step, WaitForEvent):
            awaited = language(tuple(built_in(self._event_names(step.event, (*here, "event")))))
            operation.conditions = self._all(awaited, step.where, (*here, "where"))
            operation.otherwise = len(self._operations)
            self._add(step.on_timeout, (*here, "on_timeout"), f"{operation.label}.on_timeout.", of, depth + 1)
            operation.next = len(self._operations)

    def _skip_else(self, then: list[Operation], starts: int) -> None:
        """Let what ends at the beginning of `else` go on behind it."""
        for operation in then:
            if operation.next == starts:
                operation.next = len(self._operations)
            if operation.otherwise == starts:
                operation.otherwise = len(self._operations)

    def _all(self, of: ExpressionLanguage, texts: tuple[str, ...], path: Path) -> tuple[Expression, ...]:
        single = path[-1] == "if"
        found = (self._condition(of, text, path if single else (*path, at)) for at, text in enumerate(texts))
        return tuple(filter(None, found))

    def _texts(
        self, step: PlaybookStep, here: Path, of: ExpressionLanguage
    ) -> Iterator[tuple[str, TextTemplate]]:
        texts: dict[str, object] = {
            name: getattr(step, name) for name in _TEXTS if name in step.__struct_fields__
        }
        if isinstance(step, CallWebhook):
            texts |= dict(_leaves(step.data, "data"))
        for name, text in texts.items():
            if isinstance(text, str):
                try:
                    yield name, TextTemplate(text, of)
                except InvalidExpression as error:
                    self._fault((*here, *name.split(".", 1)), str(error))

    def _check(self, step: PlaybookStep, here: Path) -> None:
        for name in ("within", "for_", "due_in"):
            self._check_span(getattr(step, name, None), (*here, name.rstrip("_")))
        if isinstance(step, CreateTask) and (step.assign_to == "round_robin") != bool(step.members):
            self._fault((*here, "members"), "round_robin needs members, and only round_robin has them")
        if isinstance(step, Notify) and (step.via == "webhook") != bool(step.url):
            self._fault((*here, "url"), "via: webhook needs a url, and only a webhook has one")
        if isinstance(step, UpdateField) and step.field in _FIXED[step.record]:
            self._fault((*here, "field"), f"{step.field} can't be set by a playbook")


def _leaves(value: object, path: str) -> Iterator[tuple[str, str]]:
    """Yield the texts within data, each with its path: data.name, data.items.0."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for name, of in value.items():
            yield from _leaves(of, f"{path}.{name}")
    elif isinstance(value, list):
        for at, of in enumerate(value):
            yield from _leaves(of, f"{path}.{at}")


_FIXED = {
    "account": {"id", "parent_id"},
    "contact": {"id", "account_id"},
    "opportunity": {"id", "account_id", "stage"},
}
assert set(_FIXED) == set(RECORDS)
