"""Runs of playbooks: what they wait for and how they advance.

A waiting run costs nothing: events find it by index.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from functools import cached_property
from typing import NamedTuple
from uuid import UUID

import msgspec
from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from activity.errors import ActivityError
from activity.event import RecordedEvent
from db.claim import Claimed, Queue


class RunNotFound(ActivityError):
    """No run has this number."""


@dataclass(frozen=True)
class PlaybookRun(Claimed):
    """A run as the engine reads it; `trigger` and `heard` are events as parsed JSON."""

    playbook_id: int
    version: int
    state: str
    at: int
    done: int
    attempts: int
    trigger: dict[str, object] | None
    heard: dict[str, object] | None
    seen_seq: int
    started_id: UUID
    account_id: str | None
    contact_id: str | None
    opportunity_id: str | None
    found: list[str]  # the kinds of those of its records that were there when it started
    since: datetime  # when it came to the step at hand, as planned: what waits count from

    @property
    def subjects(self) -> dict[str, str]:
        """The ids of the account, contact and opportunity that the run is about, where there is one."""
        ids = {"account": self.account_id, "contact": self.contact_id, "opportunity": self.opportunity_id}
        return {kind: id for kind, id in ids.items() if id is not None}

    @cached_property
    def started_by(self) -> RecordedEvent | None:
        """The event that started the run; None where a schedule or a person did."""
        return _decoded(self.trigger)

    @cached_property
    def last_event(self) -> RecordedEvent | None:
        """The last event that the run waited for."""
        return _decoded(self.heard)


def _decoded(stored: dict[str, object] | None) -> RecordedEvent | None:
    if stored is None:
        return None
    payload = msgspec.Raw(msgspec.json.encode(stored["payload"]))
    return msgspec.convert(stored | {"payload": payload}, RecordedEvent)


RUNS = Queue("playbook.run", PlaybookRun, lease=timedelta(seconds=90))
_COLUMNS = ", ".join(f"r.{field.name}" for field in fields(PlaybookRun))


_AWAITED = text("""
with recursive awaited (type) as (
  (select type from playbook.wait where tenant_id = :tenant order by type limit 1)
  union all
  select (select w.type from playbook.wait w
           where w.tenant_id = :tenant and w.type > a.type order by w.type limit 1)
    from awaited a where a.type is not null)
select type from awaited where type is not null""")


def awaited_names(session: Session, tenant: int) -> set[str]:
    """Return the event names that runs of the workspace wait for.

    The cost is one probe for each, however many runs wait.
    """
    return set(session.scalars(_AWAITED, {"tenant": tenant}))


class WaitingRun(NamedTuple):
    """A run and the pair of event name and subject by which it was found."""

    key: tuple[str, str]
    run: PlaybookRun


_WAITING = text(f"""
select {_COLUMNS}, w.type, w.subject
  from unnest(cast(:types as text[]), cast(:subjects as text[])) k (type, subject)
 cross join lateral (
   select type, subject, run_id from playbook.wait
    where tenant_id = :tenant and type = k.type and subject = k.subject) w
  join playbook.run r on r.id = w.run_id where r.state = 'waiting' order by r.id""")


def find_waiting(session: Session, tenant: int, keys: Iterable[tuple[str, str]]) -> list[WaitingRun]:
    """Return the runs that wait for any of these pairs of event name and subject."""
    keys = list(keys)
    values = {"types": [type for type, _ in keys], "subjects": [subject for _, subject in keys]}
    rows = session.execute(_WAITING, {"tenant": tenant, **values})
    return [WaitingRun((type, subject), PlaybookRun(*run)) for *run, type, subject in rows]


class Wakeup(msgspec.Struct, frozen=True):
    """An awaited event came: the run that waited at operation `at` goes on at `next`."""

    id: int
    at: int
    next: int
    event: RecordedEvent
    seq: int


_WAKE = text("""
update playbook.run r
   set state = 'running', due_at = clock_timestamp(), fence = r.fence + 1, at = w.next,
       done = r.done + 1, attempts = 0, heard = w.event, seen_seq = w.seq,
       since = greatest(r.since, cast(w.event->>'recorded_at' as timestamptz))
  from json_to_recordset(cast(:wakeups as json)) w (id bigint, at int, next int, event json, seq bigint)
 where r.id = w.id and r.at = w.at and r.state = 'waiting' returning r.id""")


def wake(session: Session, wakeups: Sequence[Wakeup]) -> set[int]:
    """Let runs go on; return the ids of those that still waited at that place."""
    if not wakeups:
        return set()
    ids = set(session.scalars(_WAKE, {"wakeups": msgspec.json.encode(wakeups).decode()}))
    session.execute(text("delete from playbook.wait where run_id = any(:ids)"), {"ids": list(ids)})
    return ids


def wait_for(session: Session, tenant: int, run: int, names: Iterable[str], subject: str) -> None:
    """Let events of these names about the subject find the run."""
    statement = text("""
        insert into playbook.wait (tenant_id, type, subject, run_id)
        select :tenant, t, :subject, :run from unnest(cast(:types as text[])) t""")
    session.execute(statement, {"tenant": tenant, "run": run, "types": list(names), "subject": subject})


def stop_waiting(session: Session, run: int) -> None:
    """Let no event find the run any longer."""
    session.execute(text("delete from playbook.wait where run_id = :run"), {"run": run})


_EVENTS_ABOUT = text("""
select h.*, h.payload::text as body
  from playbook.heard(:kind, :id, :account, :after, :limit, cast(:likes as text[])) h""")


def events_about(
    session: Session, kind: str, id: str, account: str | None, names: Iterable[str], after: int, limit: int
) -> list[RecordedEvent]:
    """Return the events of these types or patterns about a subject that were recorded after a number.

    The first recorded comes first.
    """
    likes = [name.replace("_", r"\_").replace("*", "%") for name in names]
    values = {"kind": kind, "id": id, "account": account, "after": after, "limit": limit, "likes": likes}
    return [_recorded(row) for row in session.execute(_EVENTS_ABOUT, values)]


def _recorded(row: Row[object]) -> RecordedEvent:
    columns = {name: row._mapping[name] for name in RecordedEvent.__struct_fields__}
    return RecordedEvent(**columns | {"payload": msgspec.Raw((row.body or "null").encode())})


def update(session: Session, run: int, **columns: object) -> None:
    """Change columns of a run; db.claim.finish ends its claim."""
    # The names are columns of this program's choice, never input.
    changes = ", ".join(
        f"{name} = cast(:{name} as json)" if name == "heard" else f"{name} = :{name}" for name in columns
    )
    session.execute(text(f"update playbook.run set {changes} where id = :id"), {**columns, "id": run})


def encoded(event: RecordedEvent | None) -> str | None:
    """Return an event as a run stores it."""
    return None if event is None else msgspec.json.encode(event).decode()


def hold(session: Session, playbook: int) -> int:
    """Hold the runs of a playbook that have not begun, and revoke claims of them; return how many."""
    statement = text("""
        update playbook.run set state = 'held', due_at = null, fence = fence + 1
         where playbook_id = :playbook and state = 'running' and done = 0 and attempts = 0 returning id""")
    return len(session.execute(statement, {"playbook": playbook}).all())


def held(session: Session, playbook: int) -> list[int]:
    """Return the runs of a playbook that are held, in the order of their starts."""
    statement = text("""
        select id from playbook.run where playbook_id = :playbook and done = 0 and state = 'held'
         order by id""")
    return list(session.scalars(statement, {"playbook": playbook}))


def release(session: Session, due: Mapping[int, datetime]) -> None:
    """Let held runs begin, each at its moment."""
    statement = text("""
        update playbook.run r set state = 'running', due_at = k.due_at, since = k.due_at
          from unnest(cast(:ids as bigint[]), cast(:moments as timestamptz[])) k (id, due_at)
         where r.id = k.id and r.state = 'held'""")
    session.execute(statement, {"ids": list(due), "moments": list(due.values())})


def ids_in(session: Session, playbook: int, states: Sequence[str], after: int, limit: int) -> list[int]:
    """Return the next runs of a playbook that are in one of these states, after a number."""
    statement = text("""
        select id from playbook.run
         where playbook_id = :playbook and state = any(:states) and id > :after order by id limit :limit""")
    values = {"playbook": playbook, "states": list(states), "after": after, "limit": limit}
    return list(session.scalars(statement, values))


class RunListing(NamedTuple):
    """A run as operators see it; `playbook` is the playbook's name."""

    id: int
    playbook: str
    version: int
    state: str
    at: int
    done: int
    attempts: int
    account_id: str | None
    contact_id: str | None
    opportunity_id: str | None
    reason: str | None
    due_at: datetime | None
    started_at: datetime
    ended_at: datetime | None
    trigger_id: UUID
    started_id: UUID


_LISTED = ", ".join("p.name" if name == "playbook" else f"r.{name}" for name in RunListing._fields)


def list_runs(
    session: Session, tenant: int, *, playbook: int | None = None, state: str | None = None, limit: int = 50
) -> list[RunListing]:
    """Return the newest runs of a workspace, of one playbook or in one state."""
    filters = {"playbook_id": playbook, "state": state}
    where = "".join(f" and r.{name} = :{name}" for name, value in filters.items() if value is not None)
    statement = text(f"""
        select {_LISTED} from playbook.run r join playbook.playbook p on p.id = r.playbook_id
         where r.tenant_id = :tenant{where} order by r.id desc limit :limit""")
    rows = session.execute(statement, {"tenant": tenant, "limit": limit, **filters})
    return [RunListing._make(row) for row in rows]


def revoke_claim(session: Session, tenant: int, run: int) -> PlaybookRun:
    """Return a run and end any claim of it: what its holder does is rolled back. Raises RunNotFound."""
    statement = text(f"""
        update playbook.run r set fence = fence + 1 where tenant_id = :tenant and id = :run
        returning {_COLUMNS}""")
    row = session.execute(statement, {"tenant": tenant, "run": run}).one_or_none()
    if row is None:
        raise RunNotFound(f"no run {run}: `activity playbook runs` lists them")
    return PlaybookRun(*row)


_ERASE = (
    """update playbook.run set trigger = jsonb_set(trigger::jsonb, '{payload}', 'null')::json,
              heard = jsonb_set(heard::jsonb, '{payload}', 'null')::json, reason = null
        where tenant_id = :tenant
          and (contact_id = :contact or trigger->>'contact_id' = :contact
               or heard->>'contact_id' = :contact)""",
    """update playbook.task set title = '(erased)', note = null
        where tenant_id = :tenant and contact_id = :contact""",
    """update playbook.notice n set message = '(erased)' from playbook.run r
        where n.tenant_id = :tenant and r.id = n.run_id and r.contact_id = :contact""",
)


def open_about(session: Session, tenant: int, contact: str) -> list[int]:
    """Return the runs about a contact that are not over; failed ones count, since they can be retried."""
    statement = text("""
        select id from playbook.run
         where tenant_id = :tenant and contact_id = :contact
           and state in ('running', 'waiting', 'held', 'paused', 'failed') order by id""")
    return list(session.scalars(statement, {"tenant": tenant, "contact": contact}))


def erase(session: Session, tenant: int, contact: str) -> None:
    """Empty what runs store of a person who was erased: payloads, tasks and notices about them."""
    for statement in _ERASE:
        session.execute(text(statement), {"tenant": tenant, "contact": contact})
