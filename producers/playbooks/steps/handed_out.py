"""What people do with the tasks that playbooks handed out, each with an event under their name."""

from collections.abc import Iterable

from sqlalchemy.orm import Session

from activity.catalogue.types.automation import TaskCompleted, TaskReassigned
from activity.event import Event, RecordedEvent
from activity.event_type import Payload
from db.playbooks import handed_out
from db.playbooks.handed_out import TaskListing, TaskNotFound
from producers.playbooks.events import SOURCE
from worker.emit import emit


def complete(session: Session, tenant: int, task: int, by: str, outcome: str | None = None) -> None:
    """Mark a task as done. Raises TaskNotFound."""
    done = handed_out.complete(session, tenant, task, by)
    payload = TaskCompleted(title=done.title, outcome=outcome)
    emit(session, _event(tenant, done, "task.completed", payload, by))


def assign(session: Session, tenant: int, task: int, assignee: str, by: str) -> None:
    """Give a task to somebody. Raises TaskNotFound."""
    before = handed_out.open_task(session, tenant, task)
    if before.assignee == assignee:
        return
    handed_out.assign(session, tenant, task, assignee)
    payload = TaskReassigned(title=before.title, assignee=assignee, from_assignee=before.assignee)
    emit(session, _event(tenant, before, "task.reassigned", payload, by))


def follow_completed(session: Session, tenant: int, events: Iterable[RecordedEvent]) -> None:
    """Mark the tasks as done that other producers tell were done."""
    for event in events:
        id = event.record_id or ""
        if event.type == "task.completed" and event.record_type == "task" and _is_number(id):
            try:
                handed_out.complete(session, tenant, int(id), event.actor)
            except TaskNotFound:  # a task of another system, or one that was done here
                continue


def _is_number(id: str) -> bool:
    return id.isascii() and id.isdigit() and len(id) <= 18


def _event(tenant: int, task: TaskListing, type: str, payload: Payload, by: str) -> Event:
    return Event(
        tenant_id=tenant,
        type=type,
        source=SOURCE,
        actor=by,
        account_id=task.account_id,
        contact_id=task.contact_id,
        record_type="task",
        record_id=str(task.id),
        payload=payload,
    )
