"""Runs of playbooks: how they start, what they wait for, and how they move. A run that waits costs nothing: an event finds it by index."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from activity.errors import ActivityError
from activity.event import RecordedEvent
from db.claim import Claimed, Queue


@dataclass(frozen=True)
class ClaimedRun(Claimed):
    """A run as its worker claims it."""

    playbook_id: int
    version: int
    state: str
    at: int
    done: int
    attempts: int
    trigger_id: UUID
    trigger: dict[str, Any] | None
    heard: dict[str, Any] | None
    seen_seq: int
    started_id: UUID
    account_id: str | None
    contact_id: str | None
    opportunity_id: str | None


RUNS = Queue("playbook.run", ClaimedRun, lease=timedelta(seconds=90))
_LOCK = 1886216562  # "play": the class of the advisory locks of this module


class RunUnknown(ActivityError):
    """No run has this number."""


class NewRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run to be made: `state` is running, or refused with the reason."""

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
    """The causes above an event: how many, and the playbooks among them, one entry a run."""

    causes: int
    playbooks: Sequence[int]


NO_ANCESTRY = Ancestry(0, ())


def alone(session: Session, tenant: int) -> None:
    """Be the only one, until the transaction ends, that starts or wakes runs of this workspace."""
    session.execute(text("select pg_advisory_xact_lock(:lock, :tenant)"), {"lock": _LOCK, "tenant": tenant})


def beside(session: Session, tenant: int) -> None:
    """Keep out whoever starts or wakes runs of this workspace until the transaction ends: so no event passes while a run begins to wait."""
    session.execute(
        text("select pg_advisory_xact_lock_shared(:lock, :tenant)"), {"lock": _LOCK, "tenant": tenant}
    )


def ancestry(session: Session, events: Iterable[UUID], most: int) -> dict[UUID, Ancestry]:
    """Return the causes above each event, `most` at the most, in the log of the session's workspace."""
    statement = text("select event_id, causes, playbooks from playbook.ancestry(:ids, :most)")
    return {
        row.event_id: Ancestry(row.causes, row.playbooks)
        for row in session.execute(statement, {"ids": list(events), "most": most})
    }


def last_starts(session: Session, keys: Iterable[tuple[int, str]]) -> dict[tuple[int, str], datetime]:
    """Return when each playbook last started for a subject, where it did."""
    ids, subjects = _columns(keys, 2)
    statement = text("""
        select o.playbook_id, o.subject, o.last_at from unnest(cast(:ids as bigint[]), cast(:subjects as text[])) k (playbook_id, subject)
          join playbook.once o using (playbook_id, subject)""")
    return {
        (row.playbook_id, row.subject): row.last_at
        for row in session.execute(statement, {"ids": ids, "subjects": subjects})
    }


def keep_starts(session: Session, tenant: int, starts: Mapping[tuple[int, str], datetime]) -> None:
    """Remember when playbooks last started for their subjects."""
    ids, subjects, moments = _columns(((id, subject, at) for (id, subject), at in starts.items()), 3)
    statement = text("""
        insert into playbook.once (playbook_id, tenant_id, subject, last_at)
        select k.playbook_id, :tenant, k.subject, k.last_at
          from unnest(cast(:ids as bigint[]), cast(:subjects as text[]), cast(:moments as timestamptz[])) k (playbook_id, subject, last_at)
        on conflict (playbook_id, subject) do update set last_at = excluded.last_at""")
    session.execute(statement, {"tenant": tenant, "ids": ids, "subjects": subjects, "moments": moments})


def pace(session: Session, tenant: int, starts: int, a_minute: int) -> list[datetime]:
    """Return when each of so many starts may begin: at once, until a minute's worth is used up, then spaced; nothing is dropped."""
    statement = text("""
        insert into playbook.pace as p (tenant_id, taken_to) values (:tenant, clock_timestamp() - interval '1 minute' + :took)
        on conflict (tenant_id) do update set taken_to = greatest(p.taken_to, clock_timestamp() - interval '1 minute') + :took
        returning taken_to, clock_timestamp() as now""")
    apart = timedelta(minutes=1) / a_minute
    row = session.execute(statement, {"tenant": tenant, "took": apart * starts}).one()
    return [max(row.now, row.taken_to - apart * (starts - at - 1)) for at in range(starts)]


def make(session: Session, tenant: int, runs: Sequence[NewRun]) -> dict[tuple[int, UUID], int]:
    """Make runs and return their numbers by playbook and trigger; one that is there already is not made again."""
    statement = text("""
        insert into playbook.run (tenant_id, playbook_id, version, trigger_id, started_id, trigger, seen_seq,
               account_id, contact_id, opportunity_id, state, due_at, reason, ended_at)
        select :tenant, playbook_id, version, trigger_id, started_id, trigger, seen_seq,
               account_id, contact_id, opportunity_id, state, due_at, reason, case when state = 'refused' then clock_timestamp() end
          from json_to_recordset(cast(:runs as json)) r (playbook_id bigint, version int, trigger_id uuid, started_id uuid, trigger json,
               seen_seq bigint, account_id text, contact_id text, opportunity_id text, state text, due_at timestamptz, reason text)
        on conflict (playbook_id, trigger_id) do nothing returning playbook_id, trigger_id, id""")
    rows = session.execute(statement, {"tenant": tenant, "runs": msgspec.json.encode(runs).decode()})
    return {(row.playbook_id, row.trigger_id): row.id for row in rows}


_AWAITED = text("""
with recursive awaited (type) as (
  (select type from playbook.wait where tenant_id = :tenant order by type limit 1)
  union all
  select (select w.type from playbook.wait w where w.tenant_id = :tenant and w.type > a.type order by w.type limit 1)
    from awaited a where a.type is not null)
select type from awaited where type is not null""")


def awaited(session: Session, tenant: int) -> set[str]:
    """Return the event names that any run of the workspace waits for: one probe a name, however many runs wait."""
    return set(session.scalars(_AWAITED, {"tenant": tenant}))


def waiting(session: Session, tenant: int, keys: Iterable[tuple[str, str]]) -> Sequence[Row[Any]]:
    """Return the runs that wait for any of these pairs of event name and subject."""
    types, subjects = _columns(keys, 2)
    statement = text("""
        select w.type, w.subject, r.* from unnest(cast(:types as text[]), cast(:subjects as text[])) k (type, subject)
         cross join lateral (
           select type, subject, run_id from playbook.wait where tenant_id = :tenant and type = k.type and subject = k.subject) w
          join playbook.run r on r.id = w.run_id where r.state = 'waiting' order by r.id""")
    return session.execute(statement, {"tenant": tenant, "types": types, "subjects": subjects}).all()


class Woken(msgspec.Struct, frozen=True):
    """A run whose event came: it waited at operation `at` and goes on at `next`."""

    id: int
    at: int
    next: int
    heard: RecordedEvent
    seq: int


def wake(session: Session, woken: Sequence[Woken]) -> set[int]:
    """Let runs go on; return those that still waited at that place."""
    statement = text("""
        update playbook.run r set state = 'running', due_at = clock_timestamp(), fence = r.fence + 1, at = w.next,
               done = r.done + 1, attempts = 0, heard = w.heard, seen_seq = w.seq
          from json_to_recordset(cast(:woken as json)) w (id bigint, at int, next int, heard json, seq bigint)
         where r.id = w.id and r.at = w.at and r.state = 'waiting' returning r.id""")
    ids = set(session.scalars(statement, {"woken": msgspec.json.encode(woken).decode()}))
    session.execute(text("delete from playbook.wait where run_id = any(:ids)"), {"ids": list(ids)})
    return ids


def wait_for(session: Session, tenant: int, run: int, types: Iterable[str], subject: str) -> None:
    """Let events of these names about the subject find the run."""
    statement = text("""
        insert into playbook.wait (tenant_id, type, subject, run_id)
        select :tenant, t, :subject, :run from unnest(cast(:types as text[])) t""")
    session.execute(statement, {"tenant": tenant, "run": run, "types": list(types), "subject": subject})


def stop_waiting(session: Session, run: int) -> None:
    """Forget what a run waited for."""
    session.execute(text("delete from playbook.wait where run_id = :run"), {"run": run})


def heard(
    session: Session, kind: str, id: str, account: str | None, after: int, most: int
) -> list[RecordedEvent]:
    """Return the events about a subject that were recorded after number `after`, the oldest first."""
    statement = text(
        "select h.*, h.payload::text as body from playbook.heard(:kind, :id, :account, :after, :most) h"
    )
    rows = session.execute(
        statement, {"kind": kind, "id": id, "account": account, "after": after, "most": most}
    ).mappings()
    return [_event(row) for row in rows]


def _event(row: Mapping[Any, Any]) -> RecordedEvent:
    said = {name: row[name] for name in RecordedEvent.__struct_fields__}
    return RecordedEvent(**said | {"payload": msgspec.Raw((row["body"] or "null").encode())})


def stored(event: RecordedEvent | None) -> str | None:
    """Return an event as a run keeps it."""
    return None if event is None else msgspec.json.encode(event).decode()


def erase(session: Session, tenant: int, contact: str) -> None:
    """Forget what runs keep of a person who was erased: payloads, tasks and notices about them."""
    said = {"tenant": tenant, "contact": contact}
    session.execute(
        text("""
            update playbook.run set trigger = jsonb_set(trigger::jsonb, '{payload}', 'null')::json,
                   heard = jsonb_set(heard::jsonb, '{payload}', 'null')::json
             where tenant_id = :tenant
               and (contact_id = :contact or trigger->>'contact_id' = :contact or heard->>'contact_id' = :contact)"""),
        said,
    )
    session.execute(
        text(
            "update playbook.task set title = '(erased)', note = null where tenant_id = :tenant and contact_id = :contact"
        ),
        said,
    )
    session.execute(
        text("""
            update playbook.notice n set message = '(erased)' from playbook.run r
             where n.tenant_id = :tenant and r.id = n.run_id and r.contact_id = :contact"""),
        said,
    )


def moved(session: Session, run: int, **columns: Any) -> None:
    """Change columns of a run; the claim is ended apart, by db.claim.finish."""
    # The names are ours, never input.
    changes = ", ".join(
        f"{name} = {'cast(:heard as json)' if name == 'heard' else f':{name}'}" for name in columns
    )
    session.execute(
        text(f"update playbook.run set {changes} where id = :id"), columns | {"id": run}
    )  # as said


def _columns(rows: Iterable[tuple[Any, ...]], width: int) -> tuple[list[Any], ...]:
    """Turn rows into columns, for unnest."""
    rows = list(rows)
    return tuple([row[at] for row in rows] for at in range(width))


_SHOWN = """r.id, p.name as playbook, r.version, r.state, r.at, r.done, r.attempts, r.account_id, r.contact_id, r.opportunity_id, r.reason,
  r.due_at, r.started_at, r.ended_at, r.trigger_id, r.started_id"""


def listed(
    session: Session, tenant: int, *, playbook: int | None = None, state: str | None = None, limit: int = 50
) -> Sequence[Row[Any]]:
    """Return the newest runs of a workspace, of one playbook or in one state."""
    where = "".join(
        f" and r.{name} = :{name}"
        for name, value in (("playbook_id", playbook), ("state", state))
        if value is not None
    )
    statement = text(f"""
        select {_SHOWN} from playbook.run r join playbook.playbook p on p.id = r.playbook_id
         where r.tenant_id = :tenant{where} order by r.id desc limit :limit""")  # names of ours
    return session.execute(
        statement, {"tenant": tenant, "playbook_id": playbook, "state": state, "limit": limit}
    ).all()


def take(session: Session, tenant: int, run: int) -> ClaimedRun:
    """Return a run and take it from whoever holds it: what they do comes to nothing. Raises RunUnknown."""
    columns = ", ".join(field.name for field in fields(ClaimedRun))
    statement = text(f"""
        update playbook.run set fence = fence + 1
         where tenant_id = :tenant and id = :run returning {columns}""")
    row = session.execute(statement, {"tenant": tenant, "run": run}).one_or_none()
    if row is None:
        raise RunUnknown(f"no run {run}: `activity playbook runs` shows those there are")
    return ClaimedRun(*row)


def acted(session: Session, tenant: int, run: int, act: str, actor: str, reason: str | None) -> None:
    """Record what an operator did to a run."""
    statement = text(
        "insert into playbook.act (tenant_id, run_id, act, actor, reason) values (:tenant, :run, :act, :actor, :reason)"
    )
    session.execute(statement, {"tenant": tenant, "run": run, "act": act, "actor": actor, "reason": reason})
