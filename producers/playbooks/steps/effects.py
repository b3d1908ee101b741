"""What each step does: its effect and its events, in the transaction that advances the run."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from activity.catalogue.types.automation import TaskCreated
from activity.catalogue.types.conversations import NoteAdded
from activity.catalogue.types.deals import DealAmountChanged, DealLost, DealStageChanged, DealWon
from activity.catalogue.types.records import AccountUpdated, ContactUpdated
from activity.catalogue.types.signals import SignalDetected
from activity.errors import ActivityError
from activity.event_type import FieldChange, Payload
from db.playbooks import effects
from db.playbooks.effects import NewTask
from db.playbooks.runs import PlaybookRun
from db.records import values
from db.sequences import sequences
from producers.enrichment.asking import Priority, ask
from producers.mail.enrollments import stop
from producers.playbooks.definition.conditions import shown
from producers.playbooks.definition.document import (
    AddNote,
    CallWebhook,
    ChangeStage,
    CreateTask,
    DetectSignal,
    Enrich,
    Enroll,
    Notify,
    PlaybookStep,
    Unenroll,
    UpdateField,
    span,
)
from producers.playbooks.definition.program import Operation, Program
from producers.playbooks.events import event_of
from producers.playbooks.steps.deliver import mail, post
from producers.sequences.enroll import enroll
from worker.emit import emit

_MAX_NAME = 500  # characters that a name of an event takes
_MAX_SHOWN = 200  # characters of a value in what came of a step
_WON, _LOST = {"won", "closed won"}, {"lost", "closed lost"}


class StepFailed(ActivityError):
    """A step that cannot be carried out as things are; a retry changes nothing until a person does."""


@dataclass(frozen=True)
class StepContext:
    """A run at one of its steps: what the step may know and where its effects go."""

    run: PlaybookRun
    program: Program
    operation: Operation
    facts: Mapping[str, Any]
    session: Session

    @property
    def tenant(self) -> int:
        """The run's workspace."""
        return self.run.tenant_id

    def text(self, name: str) -> str:
        """Return a text of the step with its {{ }} filled in."""
        return self.operation.texts[name].fill(self.facts)

    def subject(self, kind: str) -> str:
        """Return the id of the account, contact or opportunity of the run. Raises StepFailed without one."""
        if kind not in self.run.subjects:
            raise StepFailed(f"the run is about no {kind}")
        return self.run.subjects[kind]

    def field(self, kind: str, name: str) -> Any:
        """Return a column of a record of the run; None where the record or the value is absent."""
        return (self.facts.get(kind) or {}).get(name)

    def emit(self, type: str, payload: Payload, **about: Any) -> None:
        """Emit an event whose cause is this run."""
        emit(self.session, event_of(self.run, type, payload, **about))

    def person(self, who: str) -> str | None:
        """Return the address that owner, manager or an address means; None where it is not known."""
        if "@" in who:
            return who
        owners = (self.field(kind, "owner_email") for kind in ("opportunity", "contact", "account"))
        owner = next((str(owner) for owner in owners if owner), None)
        return effects.manager_of(self.session, self.tenant, owner) if owner and who == "manager" else owner

    def recipient(self, who: str) -> str:
        """Return the address of a person to notify. Raises StepFailed where it is not known."""
        address = self.person(who)
        if address is None:
            raise StepFailed(f"there is no recipient: no {who} is known")
        return address


def _create_task(step: CreateTask, context: StepContext) -> str:
    due_at = datetime.now(UTC) + span(step.due_in) if step.due_in else None
    title = context.text("title")[:_MAX_NAME] or "(no title)"
    note = context.text("note") if step.note else None
    assignee = _assignee(step, context)
    id = effects.add_task(context.session, context.run, NewTask(title, note, assignee, due_at))
    payload = TaskCreated(title=title, assignee=assignee, due_at=due_at)
    context.emit("task.created", payload, record_type="task", record_id=str(id))
    return f"for {assignee}" if assignee else "not assigned: the record has no owner"


def _assignee(step: CreateTask, context: StepContext) -> str | None:
    if step.assign_to != "round_robin":
        return context.person(step.assign_to)
    run, label = context.run, context.operation.label
    turn = effects.take_turn(context.session, context.tenant, run.playbook_id, label)
    return step.members[turn % len(step.members)]


def _notify(step: Notify, context: StepContext) -> str:
    recipient, message = context.recipient(step.to), context.text("message")
    effects.add_notice(context.session, context.tenant, context.run.id, recipient, message)
    return f"notified {recipient}: {message}"


def _update_field(step: UpdateField, context: StepContext) -> str:
    id = context.subject(step.record)
    value = step.value
    if isinstance(value, str):
        value = context.operation.texts["value"].value(context.facts)
        value = "" if value is None else value
    before = values.set_value(context.session, context.tenant, step.record, id, step.field, value)
    if before != value:
        _emit_update(step, context, id, before, value)
    return f"{step.field}: {shown(before)[:_MAX_SHOWN]} -> {shown(value)[:_MAX_SHOWN]}"


_UPDATED = {
    "account": ("account.updated", AccountUpdated),
    "contact": ("contact.updated", ContactUpdated),
}


def _emit_update(step: UpdateField, context: StepContext, id: str, before: object, value: object) -> None:
    name, about = context.field(step.record, "name"), {"record_type": step.record, "record_id": id}
    if step.record in _UPDATED:
        type, payload = _UPDATED[step.record]
        changes = (FieldChange(field=step.field, from_=_plain(before), to=value),)
        context.emit(type, payload(changes=changes, name=name), **about)
    elif step.field == "amount":
        amounts = DealAmountChanged(to_amount=_plain(value), from_amount=_plain(before), name=name)
        context.emit("deal.amount_changed", amounts, **about)


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, str | int | float | bool | list | dict) else str(value)


def _change_stage(step: ChangeStage, context: StepContext) -> str:
    id = context.subject("opportunity")
    before = values.set_value(context.session, context.tenant, "opportunity", id, "stage", step.to)
    if before == step.to:
        return f"was in {step.to} already"
    account = context.run.account_id or context.field("opportunity", "account_id")
    type, payload = _stage_change(step, context, before)
    context.emit(type, payload, record_type="opportunity", record_id=id, account_id=account)
    return f"{before or 'no stage'} -> {step.to}"


def _stage_change(step: ChangeStage, context: StepContext, before: str | None) -> tuple[str, Payload]:
    deal = {
        "name": context.field("opportunity", "name") or None,
        "currency": context.field("opportunity", "currency"),
        "amount": context.field("opportunity", "amount"),
        "from_stage": before or None,
        "account_name": context.field("account", "name"),
    }
    if step.to.lower() in _WON:
        return "deal.won", DealWon(**deal)
    if step.to.lower() in _LOST:
        return "deal.lost", DealLost(**deal)
    return "deal.stage_changed", DealStageChanged(to_stage=step.to, **deal)


def _add_note(step: AddNote, context: StepContext) -> None:
    title = context.text("title")[:_MAX_NAME] if step.title else None
    note = NoteAdded(text=context.text("text") or "-", title=title)
    context.emit("note.added", note, record_type="note", record_id=str(uuid7()))


def _enroll(step: Enroll, context: StepContext) -> str:
    sequence = sequences.find(context.session, context.tenant, step.sequence)
    enrolled = enroll(
        context.session,
        context.tenant,
        sequence.id,
        context.subject("contact"),
        by="system",
        cause_id=context.run.started_id,
        on_duplicate=step.on_duplicate,
    )
    return f"enrolled in {sequence.name}" if enrolled else f"was enrolled in {sequence.name} before"


def _unenroll(step: Unenroll, context: StepContext) -> str:
    session, tenant, cause = context.session, context.tenant, context.run.started_id
    sequence = sequences.find(session, tenant, step.sequence).id if step.sequence else None
    contact = context.subject("contact")
    ended = stop(session, tenant, contact, step.reason, sequence_id=sequence, cause_id=cause)
    return f"ended {ended} enrolments"


def _enrich(step: Enrich, context: StepContext) -> None:
    ask(
        context.session,
        context.tenant,
        step.record,
        context.subject(step.record),
        step.fields or None,
        priority=Priority.PLAYBOOK,
        cause_id=context.run.started_id,
    )


def _detect_signal(step: DetectSignal, context: StepContext) -> str:
    signal = SignalDetected(
        signal=step.signal,
        name=context.text("name")[:_MAX_NAME] if step.name else None,
        score=step.score,
        rule=context.program.name,
        rule_version=context.run.version,
    )
    context.emit("signal.detected", signal, record_type="signal", record_id=str(uuid7()))
    return step.signal


_EFFECTS: dict[type[PlaybookStep], Callable[[Any, StepContext], str | None]] = {
    CreateTask: _create_task,
    Notify: _notify,
    UpdateField: _update_field,
    ChangeStage: _change_stage,
    AddNote: _add_note,
    Enroll: _enroll,
    Unenroll: _unenroll,
    Enrich: _enrich,
    DetectSignal: _detect_signal,
}


def carry_out(context: StepContext) -> str | None:
    """Carry out a step whose effect is in the database; return what came of it, in words."""
    return _EFFECTS[type(context.operation.step)](context.operation.step, context)


def leaves_system(step: PlaybookStep) -> bool:
    """Return whether a step's effect leaves the system: it happens before the transaction that records it."""
    return isinstance(step, CallWebhook) or (isinstance(step, Notify) and step.via != "in_app")


def prepare(context: StepContext) -> Callable[[], str]:
    """Return what carries out a step whose effect leaves the system, without the database.

    It returns what came of it, in words, or raises DeliveryFailed.
    """
    step = context.operation.step
    message_id = f"run_{context.run.started_id}_{context.operation.label}"
    if isinstance(step, CallWebhook):
        data = _filled(step.data, "data", context)
        return partial(post, step.url, message_id, _body(context, data), step.secret)
    assert isinstance(step, Notify)
    text = context.text("message")
    if step.url:
        return partial(post, step.url, message_id, _body(context, {"message": text}), step.secret)
    first_line = text.splitlines()[0] if text.strip() else ""
    return partial(
        mail, context.recipient(step.to), f"{context.program.name}: {first_line}", text, message_id
    )


def _filled(value: Any, path: str, context: StepContext) -> Any:
    """Return data with the {{ }} of every text in it filled in, whatever it is nested in."""
    if isinstance(value, str):
        return context.operation.texts[path].value(context.facts)
    if isinstance(value, dict):
        return {name: _filled(of, f"{path}.{name}", context) for name, of in value.items()}
    if isinstance(value, list):
        return [_filled(of, f"{path}.{at}", context) for at, of in enumerate(value)]
    return value


def _body(context: StepContext, data: Mapping[str, Any]) -> dict[str, Any]:
    run = context.run
    about = {
        "playbook": context.program.name,
        "run": str(run.id),
        "cause_id": str(run.started_id),
        **{f"{kind}_id": id for kind, id in run.subjects.items()},
    }
    return {
        "type": f"playbook.{context.operation.kind}",
        "timestamp": datetime.now(UTC).isoformat(),
        "data": dict(data) | about,
    }
