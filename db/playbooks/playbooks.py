"""Playbooks and their versions: saved, enabled, paused; and the schedules that come due."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import text
from sqlalchemy.orm import Session

from activity.errors import ActivityError
from db.claim import Claimed, Queue
from db.playbooks import runs


class PlaybookNotFound(ActivityError):
    """No playbook has this name or id."""


class SavedVersion(NamedTuple):
    """What saving did: the playbook and its current version; `new` means that it differs from the last."""

    id: int
    version: int
    new: bool


class Enabled(NamedTuple):
    """A playbook that may start: events up to `after_seq` were recorded before it was enabled."""

    id: int
    version: int
    after_seq: int


class StoredPlaybook(NamedTuple):
    """A playbook and the version that starts now."""

    id: int
    name: str
    version: int
    state: str


class PlaybookListing(NamedTuple):
    """A playbook as operators see it; `open` is how many of its runs are under way."""

    id: int
    name: str
    version: int
    state: str
    reason: str | None
    due_at: datetime | None
    created_at: datetime
    open: int


@dataclass(frozen=True)
class DueSchedule(Claimed):
    """A claimed schedule: `moment` is being worked off, and `after_id` is the last record tried for it."""

    version: int
    moment: datetime
    after_id: str | None


SCHEDULES = Queue("playbook.playbook", DueSchedule, lease=timedelta(seconds=60))


_INSERT = text("""
insert into playbook.playbook (tenant_id, name, version, state, reason)
values (:tenant, :name, 0, 'paused', 'new')
on conflict (tenant_id, name) do update set name = excluded.name returning id, version""")
_INSERT_VERSION = text("""
insert into playbook.version (playbook_id, tenant_id, version, source, saved_by)
values (:id, :tenant, :version, :source, :by)""")


def save(session: Session, tenant: int, name: str, source: str, by: str) -> SavedVersion:
    """Save a definition as the playbook's next version; a new playbook is paused.

    The same source again changes nothing.
    """
    id, version = session.execute(_INSERT, {"tenant": tenant, "name": name}).one()
    if version and source_of(session, id, version) == source:
        return SavedVersion(id, version, False)
    values = {"id": id, "version": version + 1}
    session.execute(_INSERT_VERSION, {"tenant": tenant, "source": source, "by": by, **values})
    session.execute(text("update playbook.playbook set version = :version where id = :id"), values)
    return SavedVersion(id, version + 1, True)


def source_of(session: Session, id: int, version: int) -> str:
    """Return the YAML of a version."""
    statement = text("select source from playbook.version where playbook_id = :id and version = :version")
    return str(session.execute(statement, {"id": id, "version": version}).scalar_one())


def find(session: Session, tenant: int, ref: str) -> StoredPlaybook:
    """Return the playbook with this name or id. Raises PlaybookNotFound."""
    statement = text("""
        select id, name, version, state from playbook.playbook
         where tenant_id = :tenant and (name = :ref or id::text = :ref)
         order by name = :ref desc limit 1""")
    found = session.execute(statement, {"tenant": tenant, "ref": ref}).one_or_none()
    if found is None:
        raise PlaybookNotFound(f"no playbook {ref!r}: `activity playbook list` lists them")
    return StoredPlaybook._make(found)


def name_of(session: Session, tenant: int, id: int) -> str:
    """Return the name of the playbook with this id. Raises PlaybookNotFound."""
    statement = text("select name from playbook.playbook where tenant_id = :tenant and id = :id")
    found = session.scalar(statement, {"tenant": tenant, "id": id})
    if found is None:
        raise PlaybookNotFound(f"no playbook {id}: `activity playbook list` lists them")
    return str(found)


class VersionListing(NamedTuple):
    """A version of a playbook, and who saved it."""

    version: int
    saved_by: str
    saved_at: datetime


class ActListing(NamedTuple):
    """What a person did to a playbook, or to the run of it that is named."""

    act: str
    actor: str
    reason: str | None
    run_id: int | None
    acted_at: datetime


_VERSIONS = text("""
select version, saved_by, saved_at from playbook.version
 where tenant_id = :tenant and playbook_id = :id order by version desc limit :limit""")
_ACTS = text("""
select a.act, a.actor, a.reason, a.run_id, a.acted_at
  from playbook.act a left join playbook.run r on r.id = a.run_id
 where a.tenant_id = :tenant and coalesce(a.playbook_id, r.playbook_id) = :id
 order by a.id desc limit :limit""")


def list_versions(session: Session, tenant: int, id: int, limit: int = 100) -> list[VersionListing]:
    """Return the versions of a playbook, the newest first."""
    rows = session.execute(_VERSIONS, {"tenant": tenant, "id": id, "limit": limit})
    return [VersionListing._make(row) for row in rows]


def list_acts(session: Session, tenant: int, id: int, limit: int = 100) -> list[ActListing]:
    """Return what people did to a playbook and its runs, the newest first."""
    rows = session.execute(_ACTS, {"tenant": tenant, "id": id, "limit": limit})
    return [ActListing._make(row) for row in rows]


_LIST = text("""
select p.id, p.name, p.version, p.state, p.reason, p.due_at, p.created_at, coalesce(r.open, 0)
  from playbook.playbook p
  left join (select playbook_id, count(*) as open from playbook.run
              where tenant_id = :tenant and state in ('running', 'waiting', 'held', 'paused')
              group by playbook_id) r on r.playbook_id = p.id
 where p.tenant_id = :tenant order by p.name""")


def list_all(session: Session, tenant: int) -> list[PlaybookListing]:
    """Return the playbooks by name, each with the number of its runs that are under way."""
    return [PlaybookListing._make(row) for row in session.execute(_LIST, {"tenant": tenant})]


_ENABLE = text("""
update playbook.playbook
   set state = 'enabled', reason = null, due_at = :due_at, moment = :due_at, after_id = null,
       fence = fence + 1,
       after_seq = case when state = 'enabled' then after_seq
         else (select seq from activity.heads('-infinity') h where h.tenant_id = :tenant) end
 where tenant_id = :tenant and id = :id""")


def enable(session: Session, tenant: int, id: int, due_at: datetime | None) -> None:
    """Let a playbook start from now on: events that are already in the log start nothing.

    `due_at` is when its schedule comes next.
    """
    session.execute(_ENABLE, {"tenant": tenant, "id": id, "due_at": due_at})


def pause(session: Session, tenant: int, id: int, reason: str) -> bool:
    """Let a playbook start nothing more; return whether it was enabled. What has begun goes on.

    The caller holds the workspace's lock, so that no start comes after this.
    """
    statement = text("""
        update playbook.playbook set state = 'paused', reason = :reason, due_at = null, fence = fence + 1
         where tenant_id = :tenant and id = :id and state = 'enabled' returning id""")
    if session.scalar(statement, {"tenant": tenant, "id": id, "reason": reason}) is None:
        return False
    runs.hold(session, id)
    return True


def list_enabled(session: Session, tenant: int) -> list[Enabled]:
    """Return the playbooks that may start."""
    statement = text("""
        select id, version, after_seq from playbook.playbook
         where tenant_id = :tenant and state = 'enabled' order by id""")
    return [Enabled._make(row) for row in session.execute(statement, {"tenant": tenant})]


def save_schedule_progress(session: Session, id: int, moment: datetime, after_id: str | None) -> None:
    """Save how far a schedule's moment is worked off: the last record tried, or None at the next moment."""
    statement = text("update playbook.playbook set moment = :moment, after_id = :after_id where id = :id")
    session.execute(statement, {"id": id, "moment": moment, "after_id": after_id})


_RECORD_ACT = text("""
insert into playbook.act (tenant_id, playbook_id, run_id, act, actor, reason)
values (:tenant, :playbook, :run, :act, :actor, :reason)""")


def record_act(
    session: Session,
    tenant: int,
    act: str,
    actor: str,
    reason: str | None = None,
    *,
    playbook: int | None = None,
    run: int | None = None,
) -> None:
    """Record what a person did to a playbook or to a run; exactly one of the two is given."""
    values = {
        "tenant": tenant,
        "playbook": playbook,
        "run": run,
        "act": act,
        "actor": actor,
        "reason": reason,
    }
    session.execute(_RECORD_ACT, values)
