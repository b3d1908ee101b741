"""Tasks and notices as people see them: listed, done, reassigned, read."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, Literal, NamedTuple
from uuid import UUID

from sqlalchemy import TextClause, text
from sqlalchemy.orm import Session

from activity.errors import ActivityError


class TaskNotFound(ActivityError):
    """No task has this number, or it is done already."""


class TaskListing(NamedTuple):
    """A task that a playbook handed out, and the run that did; without an assignee nobody has it yet."""

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


class NoticeListing(NamedTuple):
    """A notice to a person: of a run, or of a playbook itself, which `times` counts until it is read."""

    id: int
    run_id: int | None
    playbook_id: int | None
    recipient: str
    message: str
    times: int
    read_at: datetime | None
    created_at: datetime


class OpenTasks(NamedTuple):
    """How many tasks are open, and the one that is due next."""

    number: int
    next: TaskListing | None


_TASK = ", ".join(TaskListing._fields)
_NOTICE = ", ".join(NoticeListing._fields)


def list_tasks(
    session: Session,
    tenant: int,
    *,
    assignee: str | None = None,
    done: bool = False,
    before: int | None = None,
    limit: int = 50,
) -> list[TaskListing]:
    """Return the open tasks of a workspace or of one person, or the done ones, the newest first."""
    state = "not null" if done else "null"
    given = {"assignee = :assignee": assignee, "id < :before": before}
    statement = f"select {_TASK} from playbook.task where tenant_id = :tenant and done_at is {state}"
    values = {"tenant": tenant, "assignee": assignee, "before": before, "limit": limit}
    return [TaskListing._make(row) for row in _newest(session, statement, given, values)]


def list_notices(
    session: Session,
    tenant: int,
    *,
    recipient: str | None = None,
    unread: bool = False,
    before: int | None = None,
    limit: int = 50,
) -> list[NoticeListing]:
    """Return the notices of a workspace or to one person, all or the unread ones, the newest first."""
    state = " and read_at is null" if unread else ""
    given = {"recipient = :recipient": recipient, "id < :before": before}
    statement = f"select {_NOTICE} from playbook.notice where tenant_id = :tenant{state}"
    values = {"tenant": tenant, "recipient": recipient, "before": before, "limit": limit}
    return [NoticeListing._make(row) for row in _newest(session, statement, given, values)]


def open_of(session: Session, tenant: int, kind: Literal["account", "contact"], id_: str) -> OpenTasks:
    """Return how many open tasks a record has, and the one that is due next."""
    own = f"where tenant_id = :tenant and {kind}_id = :id and done_at is null"
    values = {"tenant": tenant, "id": id_}
    count = session.execute(text(f"select count(*) from playbook.task {own}"), values).scalar_one()
    first = f"select {_TASK} from playbook.task {own} order by due_at nulls last, id limit 1"
    found = session.execute(text(first), values).one_or_none()
    return OpenTasks(count, None if found is None else TaskListing._make(found))


def started(session: Session, tenant: int, runs: Collection[int]) -> dict[int, UUID]:
    """Return the playbook.started of some runs, the cause of all that they handed out."""
    query = text("select id, started_id from playbook.run where tenant_id = :tenant and id = any(:runs)")
    return {row[0]: row[1] for row in session.execute(query, {"tenant": tenant, "runs": list(runs)})}


def _newest(session: Session, statement: str, given: Mapping[str, Any], values: Mapping[str, Any]) -> Any:
    # The conditions are of this module; what is asked for is in the values.
    where = "".join(f" and {condition}" for condition, value in given.items() if value is not None)
    return session.execute(text(f"{statement}{where} order by id desc limit :limit"), values)


def complete(session: Session, tenant: int, task: int, by: str) -> TaskListing:
    """Mark an open task as done, and return it. Raises TaskNotFound."""
    changed = "done_at = clock_timestamp(), done_by = :value"
    return _change(session, tenant, task, changed, by)


def assign(session: Session, tenant: int, task: int, assignee: str) -> TaskListing:
    """Give an open task to somebody, and return it. Raises TaskNotFound."""
    return _change(session, tenant, task, "assignee = :value", assignee)


def open_task(session: Session, tenant: int, task: int) -> TaskListing:
    """Return an open task and lock it. Raises TaskNotFound."""
    statement = text(f"""
        select {_TASK} from playbook.task
         where tenant_id = :tenant and id = :task and done_at is null for update""")
    return _found(session, statement, {"tenant": tenant, "task": task})


def _change(session: Session, tenant: int, task: int, changed: str, value: str) -> TaskListing:
    statement = text(f"""
        update playbook.task set {changed}
         where tenant_id = :tenant and id = :task and done_at is null returning {_TASK}""")
    return _found(session, statement, {"tenant": tenant, "task": task, "value": value})


def _found(session: Session, statement: TextClause, values: Mapping[str, object]) -> TaskListing:
    row = session.execute(statement, values).one_or_none()
    if row is None:
        raise TaskNotFound(f"no open task {values['task']}: `activity task list` lists them")
    return TaskListing._make(row)


def mark_read(session: Session, tenant: int, recipient: str, up_to: int) -> int:
    """Mark a person's notices up to a number as read; return how many were not yet."""
    statement = text("""
        update playbook.notice set read_at = clock_timestamp()
         where tenant_id = :tenant and recipient = :recipient and id <= :up_to and read_at is null
        returning id""")
    values = {"tenant": tenant, "recipient": recipient, "up_to": up_to}
    return len(session.execute(statement, values).all())


_ALERT = text("""
insert into playbook.notice as n (tenant_id, run_id, playbook_id, recipient, message)
select :tenant, :run, v.playbook_id, v.saved_by, :message from playbook.version v
 where v.playbook_id = :playbook and v.version = :version and v.saved_by like '%@%'
on conflict (playbook_id, recipient) where read_at is null and playbook_id is not null
   do update set message = excluded.message, run_id = excluded.run_id, times = n.times + 1""")


def alert_owner(
    session: Session, tenant: int, playbook: int, version: int, message: str, run: int | None = None
) -> None:
    """Tell who saved a playbook's version what went wrong with it.

    Until it is read there is one notice, which has the newest message and counts them.
    """
    values = {"tenant": tenant, "playbook": playbook, "version": version, "message": message, "run": run}
    session.execute(_ALERT, values)
