"""What runs emit, each event with the run's playbook.started as its cause."""

from typing import Any
from uuid import UUID

from activity.catalogue.types.automation import (
    PlaybookCancelled,
    PlaybookCompleted,
    PlaybookFailed,
    PlaybookPaused,
    PlaybookStarted,
    PlaybookStepCompleted,
)
from activity.event import Event, system_id
from activity.event_type import Payload
from db.playbooks.runs import PlaybookRun
from db.playbooks.starts import NewRun
from producers.playbooks.definition.program import Operation, Program

SOURCE = "playbook"
SCHEDULED, BY_HAND = "schedule", "manual"  # what playbook.started names as the trigger where no event is
_MAX_REASON = 4_000  # characters of a reason that an event takes
_RUNS = UUID("0f6f31d0-7d5c-5b0e-9a53-2c8bb6a86d11")  # the namespace of started_id


def one_line(reason: str) -> str:
    """Return a reason as an event and a run take it: what cannot be printed is a space."""
    return "".join(one if one.isprintable() else " " for one in reason[:_MAX_REASON])


def started_id(playbook_id: int, trigger_id: UUID) -> UUID:
    """Return the id of the playbook.started that a trigger causes: the same on every call."""
    return system_id(_RUNS, f"{playbook_id}:{trigger_id}")


def started(
    tenant: int,
    run: NewRun,
    number: int,
    playbook: str,
    *,
    trigger: str = SCHEDULED,
    actor: str = "system",
    account_name: str | None = None,
) -> Event:
    """Return the event of a run that starts; an event that triggered it is its cause."""
    payload = PlaybookStarted(
        playbook=playbook,
        version=run.version,
        account_name=account_name,
        trigger=run.trigger.type if run.trigger else trigger,
    )
    return Event(
        tenant_id=tenant,
        event_id=run.started_id,
        type="playbook.started",
        source=SOURCE,
        actor=actor,
        account_id=run.account_id,
        contact_id=run.contact_id,
        record_type="playbook_run",
        record_id=str(number),
        cause_id=run.trigger.event_id if run.trigger else None,
        payload=payload,
    )


def paused(
    tenant: int,
    playbook: int,
    version: int,
    name: str,
    reason: str,
    *,
    actor: str = "system",
    cause: UUID | None = None,
) -> Event:
    """Return the event of a playbook that starts nothing more, by a person's will or a loop guard's."""
    return Event(
        tenant_id=tenant,
        type="playbook.paused",
        source=SOURCE,
        actor=actor,
        record_type="playbook",
        record_id=str(playbook),
        cause_id=cause,
        payload=PlaybookPaused(playbook=name, version=version, reason=reason),
    )


def event_of(run: PlaybookRun, type: str, payload: Payload, **more: Any) -> Event:
    """Return an event of a run; `more` replaces what it is about, or the actor."""
    about = {
        "account_id": run.account_id,
        "contact_id": run.contact_id,
        "record_type": "playbook_run",
        "record_id": str(run.id),
    } | more
    return Event(
        tenant_id=run.tenant_id,
        type=type,
        source=SOURCE,
        cause_id=run.started_id,
        payload=payload,
        **about,
    )


def step_completed(
    run: PlaybookRun,
    program: Program,
    operation: Operation,
    reason: str | None = None,
    actor: str = "system",
) -> Event:
    """Return the event of a step that was carried out."""
    payload = PlaybookStepCompleted(
        playbook=program.name,
        version=run.version,
        step=operation.label,
        action=operation.kind,
        reason=reason and reason[:_MAX_REASON],
    )
    return event_of(run, "playbook.step_completed", payload, actor=actor)


_ENDS = {"failed": PlaybookFailed, "cancelled": PlaybookCancelled, "paused": PlaybookPaused}


def ended(
    run: PlaybookRun,
    program: Program,
    state: str,
    *,
    done: int,
    at: int,
    reason: str | None,
    actor: str = "system",
) -> Event:
    """Return the event of a run that is completed, failed, cancelled or paused."""
    shared: dict[str, Any] = {
        "playbook": program.name,
        "version": run.version,
        "reason": reason and reason[:_MAX_REASON],
    }
    if state == "completed":
        return event_of(run, "playbook.completed", PlaybookCompleted(**shared, steps=done), actor=actor)
    label = program.operations[at].label if at < len(program.operations) else None
    return event_of(run, f"playbook.{state}", _ENDS[state](**shared, step=label), actor=actor)
