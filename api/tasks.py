"""The tasks and notices that playbooks hand out: listed, done, given to somebody else, read."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Path, Query, Response
from msgspec import Meta
from sqlalchemy.orm import Session

from activity.address import canonical
from activity.reading.visibility import Viewer
from api.access.callers import Caller, Reader
from api.access.limits import Writer
from api.access.viewers import viewer_of
from api.http.encoding import answers, body, json_response, takes
from api.http.problems import Problem
from api.playbooks import StateOut
from db.engine import begin
from db.playbooks import handed_out
from db.playbooks.handed_out import TaskNotFound
from feed.reading import visible
from producers.playbooks.steps import handed_out as acts

router = APIRouter(prefix="/v1", tags=["playbooks"])

Number = Annotated[int, Path(ge=1, le=2**63 - 1)]
Person = Annotated[str | None, Query(max_length=320, description="Only those of this person, by address")]
Before = Annotated[int | None, Query(ge=1, le=2**63 - 1, description="Only those with a smaller id")]
Limit = Annotated[int, Query(ge=1, le=200)]


class TaskOut(msgspec.Struct):
    """A task: without an assignee nobody has it yet. `run_id` is the playbook's run that handed it out.

    `held_back`: it came of an e-mail that is not the caller's to read, so title and note are empty.
    """

    id: int
    run_id: int
    title: str
    note: str | None
    assignee: str | None
    due_at: datetime | None
    account_id: str | None
    contact_id: str | None
    opportunity_id: str | None
    done_at: datetime | None
    done_by: str | None
    created_at: datetime
    held_back: bool


class Tasks(msgspec.Struct):
    """Tasks, the newest first."""

    tasks: list[TaskOut]


class NoticeOut(msgspec.Struct):
    """A notice to a person, of a run; or of a playbook that failed or was paused, and how many `times`.

    `held_back`: it came of an e-mail that is not the caller's to read, so the message is empty.
    """

    id: int
    run_id: int | None
    playbook_id: int | None
    recipient: str
    message: str
    times: int
    read_at: datetime | None
    created_at: datetime
    held_back: bool


class Notices(msgspec.Struct):
    """Notices, the newest first."""

    notices: list[NoticeOut]


class Done(msgspec.Struct, forbid_unknown_fields=True):
    """What came of the task."""

    outcome: Annotated[str, Meta(max_length=1_000, pattern=r"^[^\x00-\x1f\x7f\ud800-\udfff]*$")] | None = None


class Assignment(msgspec.Struct, forbid_unknown_fields=True):
    """Who is to do the task."""

    assignee: Annotated[str, Meta(max_length=320, pattern=r"^[^\s@\x00-\x1f\x7f]+@[^\s@\x00-\x1f\x7f]+$")]


class UpTo(msgspec.Struct, forbid_unknown_fields=True):
    """The newest of the caller's notices that was read."""

    up_to: Annotated[int, Meta(ge=1, le=2**63 - 1)]


class ReadOut(msgspec.Struct):
    """How many notices were not read before."""

    read: int


@router.get("/tasks", responses=answers(Tasks))
def list_tasks(
    caller: Reader,
    assignee: Person = None,
    done: Annotated[bool, Query(description="The done ones instead of the open ones")] = False,
    before: Before = None,
    limit: Limit = 50,
) -> Response:
    """List the tasks that playbooks handed out, the newest first."""
    viewer = viewer_of(caller)
    with begin("reader", caller.tenant) as session:
        rows = handed_out.list_tasks(
            session, caller.tenant, assignee=assignee, done=done, before=before, limit=limit
        )
        tasks = shown_tasks(session, caller, viewer, rows)
    return json_response(Tasks(tasks))


@router.post("/tasks/{id}/complete", responses=answers(StateOut, 200, "Done", 404), openapi_extra=takes(Done))
def complete(id: Number, caller: Writer, done: Annotated[Done, Depends(body(Done))]) -> Response:
    """Mark a task as done; the timeline shows by whom, and what came of it."""
    _act(caller.tenant, acts.complete, id, caller.actor, done.outcome)
    return json_response(StateOut("done"))


@router.post(
    "/tasks/{id}/assign", responses=answers(StateOut, 200, "Assigned", 404), openapi_extra=takes(Assignment)
)
def assign(id: Number, caller: Writer, to: Annotated[Assignment, Depends(body(Assignment))]) -> Response:
    """Give a task to somebody; the timeline shows who did."""
    _act(caller.tenant, acts.assign, id, to.assignee, caller.actor)
    return json_response(StateOut("assigned"))


@router.get("/notices", responses=answers(Notices))
def list_notices(
    caller: Reader,
    recipient: Person = None,
    unread: Annotated[bool, Query(description="Only the unread ones")] = False,
    before: Before = None,
    limit: Limit = 50,
) -> Response:
    """List what playbooks told people in the app, the newest first."""
    viewer = viewer_of(caller)
    with begin("reader", caller.tenant) as session:
        rows = handed_out.list_notices(
            session, caller.tenant, recipient=recipient, unread=unread, before=before, limit=limit
        )
        private = _private_runs(session, caller, viewer, [row.run_id for row in rows])
    notices = [NoticeOut(*row, held_back=row.run_id in private) for row in rows]
    for notice in notices:
        if viewer.may_read(_people(notice.recipient)):
            notice.held_back = False
        elif notice.held_back:
            notice.message = ""
    return json_response(Notices(notices))


@router.post("/notices/read", responses=answers(ReadOut, 200, "Read"), openapi_extra=takes(UpTo))
def read(caller: Writer, read: Annotated[UpTo, Depends(body(UpTo))]) -> Response:
    """Mark the caller's own notices as read, up to a number."""
    with begin("producer", caller.tenant) as session:
        count = handed_out.mark_read(session, caller.tenant, caller.actor, read.up_to)
    return json_response(ReadOut(count))


def shown_tasks(
    session: Session, caller: Caller, viewer: Viewer, rows: Sequence[handed_out.TaskListing]
) -> list[TaskOut]:
    """Return tasks as their caller may see them."""
    private = _private_runs(session, caller, viewer, [row.run_id for row in rows])
    tasks = [TaskOut(*row, held_back=row.run_id in private) for row in rows]
    for task in tasks:
        if viewer.may_read(_people(task.assignee, task.done_by)):
            task.held_back = False
        elif task.held_back:
            task.title, task.note = "", None
    return tasks


def _private_runs(session: Session, caller: Caller, viewer: Viewer, runs: Iterable[int | None]) -> set[int]:
    """Return which of some runs an e-mail started that the caller may not read."""
    started = handed_out.started(session, caller.tenant, {run for run in runs if run is not None})
    hidden = visible.held_back(session, caller.tenant, started.values(), viewer)
    return {run for run, event_id in started.items() if event_id in hidden}


def _people(*addresses: str | None) -> frozenset[str]:
    return frozenset(canonical(address) for address in addresses if address)


def _act(tenant: int, act: Any, task: int, *given: str | None) -> None:
    try:
        with begin("producer", tenant) as session:
            act(session, tenant, task, *given)
    except TaskNotFound as error:
        raise Problem("not-found", str(error)) from None
