"""What each step does: its effect and its events, in the transaction that moves the run."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from activity.catalogue.event_type import FieldChange, Payload
from activity.catalogue.types.automation import TaskCreated
from activity.catalogue.types.conversations import NoteAdded
from activity.catalogue.types.deals import DealAmountChanged, DealLost, DealStageChanged, DealWon
from activity.catalogue.types.records import AccountUpdated, ContactUpdated
from activity.catalogue.types.signals import SignalDetected
from activity.errors import ActivityError
from db.playbooks import playbooks
from db.playbooks.runs import ClaimedRun
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
    Step,
    Unenroll,
    UpdateField,
    span,
)
from producers.playbooks.definition.program import Operation, Program
from producers.playbooks.deliver import mail, post
from producers.playbooks.events import event_of
from producers.sequences.enrol import enrol
from worker.emit import emit

_NAME = 500  # characters that a name of an event takes
_WON, _LOST = {"won", "closed won"}, {"lost", "closed lost"}


class StepFailed(ActivityError):
    """A step that can't be carried out as things are: trying again changes nothing until somebody does."""


@dataclass(frozen=True)
class Scene:
    """A run at one of its steps: what the step may know and where its effects go."""

    tenant: int
    run: ClaimedRun
    program: Program
    operation: Operation
    facts: Mapping[str, Any]
    session: Session

    def text(self, name: str) -> str:
        """Return a text of the step with its {{ }} filled in."""
        return self.operation.texts[name].fill(self.facts)

    def subject(self, kind: str) -> str:
        """Return the id of the account, contact or opportunity the run is about. Raises StepFailed where there is none."""
        id = getattr(self.run, f"{kind}_id")
        if id is None:
            raise StepFailed(f"the run is about no {kind}")
        return str(id)

    def say(self, type: str, payload: Payload, **about: Any) -> None:
        """Emit an event whose cause is this run."""
        emit(self.session, event_of(self.tenant, self.run, type, payload, **about))

    def person(self, who: str) -> str | None:
        """Return the address that owner, manager or an address means; None where there is none."""
        if "@" in who:
            return who
        records = (self.facts.get(kind) or {} for kind in ("opportunity", "contact", "account"))
        owner = next((str(record["owner_email"]) for record in records if record.get("owner_email")), None)
        return playbooks.manager_of(self.session, self.tenant, owner) if owner and who == "manager" else owner


def _create_task(step: CreateTask, scene: Scene) -> str:
    if step.assign_to == "round_robin":
        turn = playbooks.take_turn(scene.session, scene.tenant, scene.run.playbook_id, scene.operation.label)
        assignee: str | None = step.members[turn % len(step.members)]
    else:
        assignee = scene.person(step.assign_to)
    title = scene.text("title")[:_NAME] or "(no title)"
    due_at = datetime.now(UTC) + span(step.due_in) if step.due_in else None
    note = scene.text("note") if step.note else None
    id = playbooks.add_task(scene.session, scene.tenant, scene.run, title, note, assignee, due_at)
    scene.say(
        "task.created",
        TaskCreated(title=title, assignee=assignee, due_at=due_at),
        record_type="task",
        record_id=str(id),
    )
    return f"for {assignee or 'nobody: the record has no owner'}"


def _notify(step: Notify, scene: Scene) -> str:
    recipient = scene.person(step.to)
    if recipient is None:
        raise StepFailed(f"nobody to tell: no {step.to} is known")
    playbooks.add_notice(scene.session, scene.tenant, scene.run.id, recipient, scene.text("message"))
    return f"told {recipient}"


def _update_field(step: UpdateField, scene: Scene) -> str:
    id = scene.subject(step.record)
    value = scene.text("value") if isinstance(step.value, str) else step.value
    before = values.set_value(scene.session, scene.tenant, step.record, id, step.field, value)
    said = f"{step.field}: {shown(before)[:200]} -> {shown(value)[:200]}"
    if before == value:
        return said
    changes = (FieldChange(field=step.field, from_=_plain(before), to=value),)
    name = (scene.facts.get(step.record) or {}).get("name")
    if step.record == "account":
        scene.say(
            "account.updated", AccountUpdated(changes=changes, name=name), record_type="account", record_id=id
        )
    elif step.record == "contact":
        scene.say(
            "contact.updated", ContactUpdated(changes=changes, name=name), record_type="contact", record_id=id
        )
    elif step.field == "amount":
        amounts = DealAmountChanged(to_amount=_plain(value), from_amount=_plain(before), name=name)
        scene.say("deal.amount_changed", amounts, record_type="opportunity", record_id=id)
    return said


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, str | int | float | bool | list | dict) else str(value)


def _change_stage(step: ChangeStage, scene: Scene) -> str:
    id = scene.subject("opportunity")
    before = values.set_value(scene.session, scene.tenant, "opportunity", id, "stage", step.to)
    if before == step.to:
        return f"was in {step.to} already"
    deal = scene.facts.get("opportunity") or {}
    said = {
        "name": deal.get("name") or None,
        "currency": deal.get("currency"),
        "amount": deal.get("amount"),
        "from_stage": before or None,
    }
    said["account_name"] = (scene.facts.get("account") or {}).get("name")
    about = {
        "record_type": "opportunity",
        "record_id": id,
        "account_id": scene.run.account_id or deal.get("account_id"),
    }
    if step.to.lower() in _WON:
        scene.say("deal.won", DealWon(**said), **about)
    elif step.to.lower() in _LOST:
        scene.say("deal.lost", DealLost(**said), **about)
    else:
        scene.say("deal.stage_changed", DealStageChanged(to_stage=step.to, **said), **about)
    return f"{before or 'no stage'} -> {step.to}"


def _add_note(step: AddNote, scene: Scene) -> None:
    note = NoteAdded(
        text=scene.text("text") or "-", title=scene.text("title")[:_NAME] if step.title else None
    )
    scene.say("note.added", note, record_type="note", record_id=str(uuid7()))


def _enroll(step: Enroll, scene: Scene) -> str:
    sequence = sequences.find(scene.session, scene.tenant, step.sequence)
    made = enrol(
        scene.session,
        scene.tenant,
        sequence.id,
        scene.subject("contact"),
        by="system",
        cause_id=scene.run.started_id,
        on_duplicate=step.on_duplicate,
    )
    return f"enrolled in {sequence.name}" if made else f"was enrolled in {sequence.name} before"


def _unenroll(step: Unenroll, scene: Scene) -> str:
    sequence = sequences.find(scene.session, scene.tenant, step.sequence).id if step.sequence else None
    ended = stop(
        scene.session,
        scene.tenant,
        scene.subject("contact"),
        step.reason,
        sequence_id=sequence,
        cause_id=scene.run.started_id,
    )
    return f"ended {ended} enrolments"


def _enrich(step: Enrich, scene: Scene) -> None:
    about, cause = scene.subject(step.record), scene.run.started_id
    ask(
        scene.session,
        scene.tenant,
        step.record,
        about,
        step.fields or None,
        priority=Priority.PLAYBOOK,
        cause_id=cause,
    )


def _detect_signal(step: DetectSignal, scene: Scene) -> str:
    name = scene.text("name")[:_NAME] if step.name else None
    signal = SignalDetected(
        signal=step.signal,
        name=name,
        score=step.score,
        rule=scene.program.name,
        rule_version=scene.run.version,
    )
    scene.say("signal.detected", signal, record_type="signal", record_id=str(uuid7()))
    return step.signal


_EFFECTS: dict[type[Step], Callable[[Any, Scene], str | None]] = {
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


def carry_out(scene: Scene) -> str | None:
    """Carry out a step whose effect is in the database; return what came of it, in words."""
    return _EFFECTS[type(scene.operation.step)](scene.operation.step, scene)


def goes_out(step: Step) -> bool:
    """Say whether a step's effect leaves the system, so that it is carried out before the transaction that records it."""
    return isinstance(step, CallWebhook) or (isinstance(step, Notify) and step.via != "in_app")


def prepare(scene: Scene) -> Callable[[], str]:
    """Return what carries out a step whose effect leaves the system, without the database: it returns words or raises DeliveryFailed."""
    step = scene.operation.step
    message_id = f"run_{scene.run.id}_{scene.operation.label}"
    if isinstance(step, CallWebhook):
        data = {
            name: scene.text(f"data.{name}") if isinstance(value, str) else value
            for name, value in step.data.items()
        }
        return partial(post, step.url, message_id, _message(scene, data), step.secret)
    assert isinstance(step, Notify)
    text = scene.text("message")
    if step.url:
        return partial(post, step.url, message_id, _message(scene, {"message": text}), step.secret)
    recipient = scene.person(step.to)
    if recipient is None:
        raise StepFailed(f"nobody to tell: no {step.to} is known")
    return partial(
        mail,
        recipient,
        f"{scene.program.name}: {text.splitlines()[0] if text.strip() else ''}",
        text,
        message_id,
    )


def _message(scene: Scene, data: Mapping[str, Any]) -> dict[str, Any]:
    run = scene.run
    about = {
        name: getattr(run, name)
        for name in ("account_id", "contact_id", "opportunity_id")
        if getattr(run, name)
    }
    said = {
        "playbook": scene.program.name,
        "run": str(run.id),
        "cause_id": str(run.started_id),
        **about,
        **data,
    }
    return {
        "type": f"playbook.{scene.operation.kind}",
        "timestamp": datetime.now(UTC).isoformat(),
        "data": said,
    }
