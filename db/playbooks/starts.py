"""How runs start: one transaction at a time in a workspace, by the once-per rule and the rate limit."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

import msgspec
from sqlalchemy import text
from sqlalchemy.orm import Session

from activity.event import RecordedEvent

_LOCK = 1886216562  # "play": the class of the advisory locks of this module
StartKey = tuple[int, str]  # a playbook's id and the subject that it starts once for


class NewRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run to create: `state` is running, or refused with the reason."""

    playbook_id: int
    version: int
    trigger_id: UUID
    started_id: UUID
    trigger: RecordedEvent | None = None
    seen_seq: int = 0
    account_id: str | None = None
    contact_id: str | None = None
    opportunity_id: str | None = None
    state: str = "running"
    due_at: datetime | None = None
    reason: str | None = None


class Ancestry(NamedTuple):
    """The causes above an event: how many, and the playbooks among them, one entry for each run."""

    causes: int
    playbooks: Sequence[int]


NO_ANCESTRY = Ancestry(0, ())


def lock_workspace(session: Session, tenant: int) -> None:
    """Let no other transaction start or wake runs of this workspace until this one ends."""
    statement = text("select pg_advisory_xact_lock(:lock, :tenant)")
    session.execute(statement, {"lock": _LOCK, "tenant": tenant})


def lock_workspace_shared(session: Session, tenant: int) -> None:
    """Keep out whoever starts or wakes runs of this workspace until the transaction ends.

    A run that begins to wait holds this lock, so that no event slips past it.
    """
    statement = text("select pg_advisory_xact_lock_shared(:lock, :tenant)")
    session.execute(statement, {"lock": _LOCK, "tenant": tenant})


def ancestry(session: Session, events: Iterable[UUID], limit: int) -> dict[UUID, Ancestry]:
    """Return the causes above each event, at most `limit`, in the log of the session's workspace."""
    statement = text("select event_id, causes, playbooks from playbook.ancestry(:ids, :limit)")
    rows = session.execute(statement, {"ids": list(events), "limit": limit})
    return {row.event_id: Ancestry(row.causes, row.playbooks) for row in rows}


_STARTS = text("""
select o.playbook_id, o.subject, o.started_at
  from unnest(cast(:ids as bigint[]), cast(:subjects as text[]), cast(:after as timestamptz[]),
              cast(:before as timestamptz[])) k (playbook_id, subject, after, before)
  join playbook.once o on o.playbook_id = k.playbook_id and o.subject = k.subject
       and o.started_at > k.after and o.started_at < k.before
 order by o.started_at""")


class Span(NamedTuple):
    """The time between two moments, which are not in it."""

    after: datetime
    before: datetime


def starts_in(session: Session, spans: Mapping[StartKey, Span]) -> dict[StartKey, list[datetime]]:
    """Return when playbooks started for subjects within these spans, the earliest first."""
    values = {
        "ids": [id for id, _ in spans],
        "subjects": [subject for _, subject in spans],
        "after": [span.after for span in spans.values()],
        "before": [span.before for span in spans.values()],
    }
    found: dict[StartKey, list[datetime]] = {}
    for row in session.execute(_STARTS, values) if spans else ():
        found.setdefault((row.playbook_id, row.subject), []).append(row.started_at)
    return found


_SAVE_STARTS = text("""
insert into playbook.once (playbook_id, tenant_id, subject, started_at)
select k.playbook_id, :tenant, k.subject, k.started_at
  from unnest(cast(:ids as bigint[]), cast(:subjects as text[]), cast(:moments as timestamptz[]))
         k (playbook_id, subject, started_at)
on conflict do nothing""")


def save_starts(session: Session, tenant: int, starts: Sequence[tuple[StartKey, datetime]]) -> None:
    """Record for which subjects playbooks started, and when."""
    if not starts:
        return
    values = {
        "ids": [id for (id, _), _ in starts],
        "subjects": [subject for (_, subject), _ in starts],
        "moments": [at for _, at in starts],
    }
    session.execute(_SAVE_STARTS, {"tenant": tenant, **values})


_RESERVE = text("""
insert into playbook.pace as p (playbook_id, tenant_id, taken_to)
values (:playbook, :tenant, clock_timestamp() - interval '1 minute' + :reserved)
on conflict (playbook_id) do update
   set taken_to = greatest(p.taken_to, clock_timestamp() - interval '1 minute') + :reserved
returning taken_to, clock_timestamp() as now""")


def reserve_starts(
    session: Session, tenant: int, playbook: int, count: int, per_minute: int
) -> list[datetime]:
    """Return when each of `count` starts of a playbook may begin: at once up to the limit, then spaced.

    Nothing is dropped, and no playbook waits for another's starts.
    """
    if not count:
        return []
    apart = timedelta(minutes=1) / per_minute
    values = {"playbook": playbook, "tenant": tenant, "reserved": apart * count}
    row = session.execute(_RESERVE, values).one()
    return [max(row.now, row.taken_to - apart * (count - at - 1)) for at in range(count)]


_CREATE = text("""
insert into playbook.run (tenant_id, playbook_id, version, trigger_id, started_id, trigger, seen_seq,
       account_id, contact_id, opportunity_id, state, due_at, reason, ended_at, since, found)
select :tenant, playbook_id, version, trigger_id, started_id, trigger, seen_seq,
       account_id, contact_id, opportunity_id, state, due_at, reason,
       case when state = 'refused' then clock_timestamp() end, coalesce(due_at, clock_timestamp()),
       array_remove(array[
         (select 'account' from crm.account x where x.tenant_id = :tenant and x.id = r.account_id),
         (select 'contact' from crm.contact x where x.tenant_id = :tenant and x.id = r.contact_id),
         (select 'opportunity' from crm.opportunity x
           where x.tenant_id = :tenant and x.id = r.opportunity_id)], null)
  from json_to_recordset(cast(:runs as json)) r (
         playbook_id bigint, version int, trigger_id uuid, started_id uuid, trigger json, seen_seq bigint,
         account_id text, contact_id text, opportunity_id text, state text, due_at timestamptz, reason text)
on conflict (playbook_id, trigger_id) do nothing returning playbook_id, trigger_id, id""")


def create_runs(session: Session, tenant: int, runs: Sequence[NewRun]) -> dict[tuple[int, UUID], int]:
    """Create runs and return their numbers by playbook and trigger; one that exists is not created again."""
    rows = session.execute(_CREATE, {"tenant": tenant, "runs": msgspec.json.encode(runs).decode()})
    return {(row.playbook_id, row.trigger_id): row.id for row in rows}
