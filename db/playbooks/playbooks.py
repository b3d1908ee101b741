"""Playbooks and their versions, as their owners see them: saved, enabled, paused; and the schedules that come due."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from activity.errors import ActivityError
from db.claim import Claimed, Queue
from db.playbooks.runs import ClaimedRun


@dataclass(frozen=True)
class ClaimedSchedule(Claimed):
    """A playbook whose schedule is due, and how far its page of records has come."""

    version: int
    moment: datetime
    after_id: str | None


SCHEDULES = Queue("playbook.playbook", ClaimedSchedule, lease=timedelta(seconds=60))


class PlaybookUnknown(ActivityError):
    """No playbook has this name or id."""


class Saved(NamedTuple):
    """What saving did: the playbook and the version that holds now; `new` says that it differs from the last."""

    id: int
    version: int
    new: bool


class Enabled(NamedTuple):
    """A playbook that may start: events up to `after_seq` came before it was enabled."""

    id: int
    version: int
    after_seq: int


_COLUMNS = "id, name, version, state, reason, after_seq, due_at, created_at"


def save(session: Session, tenant: int, name: str, source: str, by: str) -> Saved:
    """Keep a definition as the playbook's next version; a new playbook is paused. The same source again changes nothing."""
    made = text("""
        insert into playbook.playbook (tenant_id, name, version, state, reason) values (:tenant, :name, 0, 'paused', 'new')
        on conflict (tenant_id, name) do update set name = excluded.name returning id, version""")
    id, version = session.execute(made, {"tenant": tenant, "name": name}).one()
    if version and source_of(session, id, version) == source:
        return Saved(id, version, False)
    kept = text("""
        insert into playbook.version (playbook_id, tenant_id, version, source, saved_by) values (:id, :tenant, :version, :source, :by)""")
    session.execute(kept, {"id": id, "tenant": tenant, "version": version + 1, "source": source, "by": by})
    session.execute(
        text("update playbook.playbook set version = :version where id = :id"),
        {"id": id, "version": version + 1},
    )
    return Saved(id, version + 1, True)


def source_of(session: Session, id: int, version: int) -> str:
    """Return the YAML of a version."""
    statement = text("select source from playbook.version where playbook_id = :id and version = :version")
    return str(session.execute(statement, {"id": id, "version": version}).scalar_one())


def find(session: Session, tenant: int, ref: str) -> Row[Any]:
    """Return the playbook with this name or id. Raises PlaybookUnknown."""
    statement = text(f"""
        select {_COLUMNS} from playbook.playbook where tenant_id = :tenant and (name = :ref or id::text = :ref)
         order by name = :ref desc limit 1""")
    found = session.execute(statement, {"tenant": tenant, "ref": ref}).one_or_none()
    if found is None:
        raise PlaybookUnknown(f"no playbook {ref!r}: `activity playbook list` shows those there are")
    return found


def named(session: Session, tenant: int, id: int) -> str:
    """Return the name of the playbook with this id. Raises PlaybookUnknown."""
    found = session.scalar(
        text("select name from playbook.playbook where tenant_id = :tenant and id = :id"),
        {"tenant": tenant, "id": id},
    )
    if found is None:
        raise PlaybookUnknown(f"no playbook {id}: `activity playbook list` shows those there are")
    return str(found)


def every(session: Session, tenant: int) -> Sequence[Row[Any]]:
    """Return the playbooks by name, each with the number of its runs that are under way."""
    statement = text("""
        select p.id, p.name, p.version, p.state, p.reason, p.due_at, p.created_at, coalesce(r.open, 0) as open
          from playbook.playbook p
          left join (select playbook_id, count(*) as open from playbook.run
                      where tenant_id = :tenant and state in ('running', 'waiting', 'paused') group by playbook_id) r
            on r.playbook_id = p.id
         where p.tenant_id = :tenant order by p.name""")
    return session.execute(statement, {"tenant": tenant}).all()


def enable(session: Session, tenant: int, id: int, due_at: datetime | None) -> None:
    """Let a playbook start from now on: events that the log holds already start nothing. `due_at` is when its schedule comes next."""
    statement = text("""
        update playbook.playbook set state = 'enabled', reason = null, due_at = :due_at, moment = :due_at, after_id = null,
               fence = fence + 1, after_seq = case when state = 'enabled' then after_seq
                 else (select seq from activity.heads('-infinity') h where h.tenant_id = :tenant) end
         where tenant_id = :tenant and id = :id""")
    session.execute(statement, {"tenant": tenant, "id": id, "due_at": due_at})


def pause(session: Session, tenant: int, id: int, reason: str) -> bool:
    """Let a playbook start nothing more; say whether it was enabled. Runs under way go on."""
    statement = text("""
        update playbook.playbook set state = 'paused', reason = :reason, due_at = null, fence = fence + 1
         where tenant_id = :tenant and id = :id and state = 'enabled'""")
    return bool(session.execute(statement, {"tenant": tenant, "id": id, "reason": reason}).rowcount)  # type: ignore[attr-defined]  # a CursorResult


def enabled(session: Session, tenant: int) -> list[Enabled]:
    """Return the playbooks that may start."""
    statement = text(
        "select id, version, after_seq from playbook.playbook where tenant_id = :tenant and state = 'enabled' order by id"
    )
    return [Enabled(*row) for row in session.execute(statement, {"tenant": tenant})]


def swept(session: Session, id: int, moment: datetime, after_id: str | None) -> None:
    """Say how far a schedule's moment is worked off: the last record tried, or None at the beginning of the next moment."""
    statement = text("update playbook.playbook set moment = :moment, after_id = :after_id where id = :id")
    session.execute(statement, {"id": id, "moment": moment, "after_id": after_id})


def manager_of(session: Session, tenant: int, email: str) -> str | None:
    """Return the manager of a member, or None."""
    statement = text("select manager_email from crm.member where tenant_id = :tenant and email = :email")
    return session.execute(statement, {"tenant": tenant, "email": email}).scalar_one_or_none()


def take_turn(session: Session, tenant: int, playbook: int, step: str) -> int:
    """Return whose turn it is at a round robin: 0, 1, 2 ... over all runs."""
    statement = text("""
        insert into playbook.turn as t (playbook_id, tenant_id, step, taken) values (:playbook, :tenant, :step, 1)
        on conflict (playbook_id, step) do update set taken = t.taken + 1 returning taken - 1""")
    return int(
        session.execute(statement, {"playbook": playbook, "tenant": tenant, "step": step}).scalar_one()
    )


def add_task(
    session: Session,
    tenant: int,
    run: ClaimedRun,
    title: str,
    note: str | None,
    assignee: str | None,
    due_at: datetime | None,
) -> int:
    """Keep a task that a run hands out and return its id."""
    statement = text("""
        insert into playbook.task (tenant_id, run_id, title, note, assignee, due_at, account_id, contact_id, opportunity_id)
        values (:tenant, :run, :title, :note, :assignee, :due_at, :account_id, :contact_id, :opportunity_id) returning id""")
    about = {name: getattr(run, name) for name in ("account_id", "contact_id", "opportunity_id")}
    said = {
        "tenant": tenant,
        "run": run.id,
        "title": title,
        "note": note,
        "assignee": assignee,
        "due_at": due_at,
    }
    return int(session.execute(statement, said | about).scalar_one())


def add_notice(session: Session, tenant: int, run: int, recipient: str, message: str) -> None:
    """Tell a person in the app."""
    statement = text(
        "insert into playbook.notice (tenant_id, run_id, recipient, message) values (:tenant, :run, :recipient, :message)"
    )
    session.execute(statement, {"tenant": tenant, "run": run, "recipient": recipient, "message": message})


def tasks(session: Session, tenant: int, limit: int = 100) -> Sequence[Row[Any]]:
    """Return the newest tasks that playbooks handed out."""
    statement = text("select * from playbook.task where tenant_id = :tenant order by id desc limit :limit")
    return session.execute(statement, {"tenant": tenant, "limit": limit}).all()
