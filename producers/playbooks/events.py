"""What runs say on the timeline, each with the run's playbook.started as its cause."""

from typing import Any

import msgspec

from activity.catalogue.types.automation import (
    PlaybookCancelled,
    PlaybookCompleted,
    PlaybookFailed,
    PlaybookPaused,
    PlaybookStepCompleted,
)
from activity.event import Event, RecordedEvent
from producers.playbooks.definition.program import Operation, Program

SOURCE = "playbook"
_LONGEST = 4_000  # characters of a reason that an event takes


def decoded(stored: Any) -> RecordedEvent | None:
    """Return an event that a run keeps, as the driver gives it: parsed JSON."""
    if stored is None:
        return None
    return msgspec.convert(
        stored | {"payload": msgspec.Raw(msgspec.json.encode(stored["payload"]))}, RecordedEvent
    )


def event_of(tenant: int, run: Any, type: str, payload: Any, **more: Any) -> Event:
    """Return an event that a run says about its own account and contact; `more` replaces what it is about, or the actor."""
    about = {
        "account_id": run.account_id,
        "contact_id": run.contact_id,
        "record_type": "playbook_run",
        "record_id": str(run.id),
    } | more
    return Event(
        tenant_id=tenant, type=type, source=SOURCE, cause_id=run.started_id, payload=payload, **about
    )


def step_completed(
    tenant: int, run: Any, program: Program, operation: Operation, reason: str | None = None, **more: Any
) -> Event:
    """Say that a step was carried out."""
    payload = PlaybookStepCompleted(
        playbook=program.name,
        version=run.version,
        step=operation.label,
        action=operation.kind,
        reason=reason and reason[:_LONGEST],
    )
    return event_of(tenant, run, "playbook.step_completed", payload, **more)


_ENDS = {"failed": PlaybookFailed, "cancelled": PlaybookCancelled, "paused": PlaybookPaused}


def ended(
    tenant: int,
    run: Any,
    program: Program,
    state: str,
    *,
    done: int,
    at: int,
    reason: str | None,
    **more: Any,
) -> Event:
    """Say that a run is completed, failed, cancelled or paused."""
    said = {"playbook": program.name, "version": run.version, "reason": reason and reason[:_LONGEST]}
    if state == "completed":
        return event_of(tenant, run, "playbook.completed", PlaybookCompleted(**said, steps=done), **more)
    label = program.operations[at].label if at < len(program.operations) else None
    return event_of(tenant, run, f"playbook.{state}", _ENDS[state](**said, step=label), **more)
