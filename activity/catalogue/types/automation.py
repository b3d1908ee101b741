"""What playbooks and sequences do, and the tasks they and people hand out."""

from typing import Annotated

from msgspec import Meta

from activity.event_type import (
    Address,
    Category,
    Count,
    EventType,
    Line,
    Moment,
    Name,
    Payload,
    RequiredName,
    Step,
    Tone,
    Version,
)


class Playbook(Payload, frozen=True, kw_only=True):
    """What every event of a playbook's run carries."""

    playbook: Annotated[RequiredName, Meta(description="The playbook's name")]
    version: Annotated[Version | None, Meta(description="The playbook's version that ran")] = None
    account_name: Annotated[Name | None, Meta(description="The account it runs for")] = None
    step: Annotated[Step | None, Meta(description="The step it is about: 1-based, or its name")] = None
    reason: Annotated[Line | None, Meta(description="Why, in words")] = None


class PlaybookStarted(Playbook, frozen=True, kw_only=True):
    """A playbook began to run for an account."""

    trigger: Annotated[Name | None, Meta(description="The type of the event that started it")] = None


class PlaybookStepCompleted(Playbook, frozen=True, kw_only=True):
    """A step of a playbook was carried out."""

    action: Annotated[Name | None, Meta(description="What the step did, such as create_task")] = None


class PlaybookCompleted(Playbook, frozen=True, kw_only=True):
    """A playbook ran to its end."""

    steps: Annotated[Count | None, Meta(description="How many steps it took")] = None


class PlaybookFailed(Playbook, frozen=True, kw_only=True):
    """A playbook could not go on."""


class PlaybookCancelled(Playbook, frozen=True, kw_only=True):
    """A playbook's run was ended before its end."""


class PlaybookPaused(Playbook, frozen=True, kw_only=True):
    """A playbook's run was put on hold."""

    until: Annotated[Moment | None, Meta(description="When it goes on; absent when a person decides")] = None


class Sequence(Payload, frozen=True, kw_only=True):
    """What every event of an enrolment carries."""

    sequence: Annotated[RequiredName, Meta(description="The sequence's name")]
    contact_name: Annotated[Name | None, Meta(description="Who is enrolled")] = None
    step: Annotated[Step | None, Meta(description="The step it is about: 1-based, or its name")] = None


class SequenceEnrolled(Sequence, frozen=True, kw_only=True):
    """A contact was enrolled in a sequence."""

    mailbox: Annotated[Address | None, Meta(description="The mailbox that the sequence sends from")] = None


class SequenceStepSkipped(Sequence, frozen=True, kw_only=True):
    """A step of a sequence was left out."""

    reason: Annotated[Line | None, Meta(description="Why, such as no consent or a suppressed address")] = None


class SequenceFinished(Sequence, frozen=True, kw_only=True):
    """A contact's way through a sequence ended."""

    reason: Annotated[Line | None, Meta(description="Why, such as all steps done or a reply")] = None
    sent: Annotated[Count | None, Meta(description="How many e-mails were sent on the way")] = None


class TaskCreated(Payload, frozen=True, kw_only=True):
    """A task was handed to somebody."""

    title: Annotated[RequiredName, Meta(description="What is to be done")]
    assignee: Annotated[Name | None, Meta(description="Who is to do it: name or e-mail")] = None
    due_at: Annotated[Moment | None, Meta(description="When it is due")] = None


class TaskCompleted(Payload, frozen=True, kw_only=True):
    """A task was done."""

    title: Annotated[RequiredName, Meta(description="What was to be done")]
    outcome: Annotated[Line | None, Meta(description="What came of it")] = None


class TaskReassigned(Payload, frozen=True, kw_only=True):
    """A task was given to somebody else."""

    title: Annotated[RequiredName, Meta(description="What is to be done")]
    assignee: Annotated[RequiredName, Meta(description="Who is to do it now: name or e-mail")]
    from_assignee: Annotated[Name | None, Meta(description="Who had it before")] = None


def _playbook(
    name: str, payload: type[Payload], icon: str, title: str, tone: Tone = Tone.GREY, **example: object
) -> EventType:
    return EventType(
        name=name,
        payload=payload,
        category=Category.PLAYBOOKS,
        icon=icon,
        tone=tone,
        title=title,
        record_type="playbook_run",
        example={"playbook": "Renewal at risk", "version": 3, "account_name": "Acme", **example},
    )


def _sequence(
    name: str, payload: type[Payload], icon: str, title: str, fold: bool = False, **example: object
) -> EventType:
    return EventType(
        name=name,
        payload=payload,
        category=Category.SEQUENCES,
        icon=icon,
        tone=Tone.GREY,
        title=title,
        record_type="sequence",
        foldable=fold,
        example={"sequence": "Q4 renewals", "contact_name": "Jo Park", **example},
    )


def _task(name: str, payload: type[Payload], icon: str, title: str, **example: object) -> EventType:
    return EventType(
        name=name,
        payload=payload,
        category=Category.TASKS,
        icon=icon,
        tone=Tone.GREY,
        title=title,
        record_type="task",
        example={"title": "Call Jo about the renewal", **example},
    )


TYPES = (
    _playbook("playbook.started", PlaybookStarted, "workflow", "Playbook started", trigger="signal.detected"),
    _playbook(
        "playbook.step_completed",
        PlaybookStepCompleted,
        "list-checks",
        "Playbook step done",
        step=2,
        action="create_task",
    ),
    _playbook("playbook.completed", PlaybookCompleted, "circle-check", "Playbook completed", steps=4),
    _playbook(
        "playbook.failed",
        PlaybookFailed,
        "octagon-x",
        "Playbook failed",
        Tone.RED,
        step=3,
        reason="the webhook answered 500",
    ),
    _playbook(
        "playbook.cancelled",
        PlaybookCancelled,
        "circle-stop",
        "Playbook cancelled",
        reason="the account was merged",
    ),
    _playbook(
        "playbook.paused",
        PlaybookPaused,
        "circle-pause",
        "Playbook paused",
        Tone.AMBER,
        step=3,
        reason="no answer yet",
        until="2026-11-24T08:00:00Z",
    ),
    _sequence(
        "sequence.enrolled",
        SequenceEnrolled,
        "refresh-cw",
        "Enrolled in sequence",
        mailbox="ana.ruiz@vendor.example",
    ),
    _sequence(
        "sequence.step_skipped",
        SequenceStepSkipped,
        "skip-forward",
        "Sequence step skipped",
        True,
        step=3,
        reason="no consent",
    ),
    _sequence(
        "sequence.finished",
        SequenceFinished,
        "flag",
        "Sequence finished",
        reason="the contact replied",
        sent=3,
    ),
    _task(
        "task.created",
        TaskCreated,
        "list-todo",
        "Task created",
        assignee="Li Wei",
        due_at="2026-11-24T16:00:00Z",
    ),
    _task("task.completed", TaskCompleted, "check-check", "Task completed", outcome="meeting agreed"),
    _task(
        "task.reassigned",
        TaskReassigned,
        "list-todo",
        "Task reassigned",
        assignee="Li Wei",
        from_assignee="Ana Ruiz",
    ),
)
