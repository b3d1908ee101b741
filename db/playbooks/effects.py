"""What steps of playbooks leave behind: tasks, notices and turns."""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import text
from sqlalchemy.orm import Session

from db.playbooks.runs import PlaybookRun


class NewTask(NamedTuple):
    """A task that a run hands out; without an assignee, its record has no owner."""

    title: str
    note: str | None
    assignee: str | None
    due_at: datetime | None


_ADD_TASK = text("""
insert into playbook.task (tenant_id, run_id, title, note, assignee, due_at,
       account_id, contact_id, opportunity_id)
values (:tenant_id, :id, :title, :note, :assignee, :due_at, :account_id, :contact_id, :opportunity_id)
returning id""")


def add_task(session: Session, run: PlaybookRun, task: NewTask) -> int:
    """Save a task that a run hands out, about the run's records, and return its id."""
    return int(session.execute(_ADD_TASK, vars(run) | task._asdict()).scalar_one())


def add_notice(session: Session, tenant: int, run: int, recipient: str, message: str) -> None:
    """Notify a person in the app."""
    statement = text("""
        insert into playbook.notice (tenant_id, run_id, recipient, message)
        values (:tenant, :run, :recipient, :message)""")
    session.execute(statement, {"tenant": tenant, "run": run, "recipient": recipient, "message": message})


def take_turn(session: Session, tenant: int, playbook: int, step: str) -> int:
    """Return the next turn of a round robin: 0, 1, 2 ... over all runs."""
    statement = text("""
        insert into playbook.turn as t (playbook_id, tenant_id, step, taken)
        values (:playbook, :tenant, :step, 1)
        on conflict (playbook_id, step) do update set taken = t.taken + 1 returning taken - 1""")
    values = {"playbook": playbook, "tenant": tenant, "step": step}
    return int(session.execute(statement, values).scalar_one())


def manager_of(session: Session, tenant: int, email: str) -> str | None:
    """Return the manager of a member, or None."""
    statement = text("select manager_email from crm.member where tenant_id = :tenant and email = :email")
    return session.execute(statement, {"tenant": tenant, "email": email}).scalar_one_or_none()
