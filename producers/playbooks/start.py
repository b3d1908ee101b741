"""What a page of recorded events means to playbooks: runs that waited go on, new runs start, all in the follower's transaction."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID, uuid5

import structlog
from sqlalchemy.orm import Session

from activity.catalogue.types.automation import PlaybookPaused, PlaybookStarted
from activity.event import Event, RecordedEvent
from activity.settings import settings
from db.playbooks import playbooks
from db.playbooks import runs as plays
from db.playbooks.runs import NewRun, Woken
from db.records import values
from producers.playbooks.definition import cache as library
from producers.playbooks.definition.conditions import Facts
from producers.playbooks.definition.document import names_of
from producers.playbooks.definition.program import Operation
from producers.playbooks.events import SOURCE, decoded, step_completed
from producers.playbooks.matching import MAX_CAUSES, Gate, Load, Match, Refusal, matches, once_key, subjects
from worker.emit import emit
from worker.nudge import nudge_after_commit

log = structlog.get_logger()

ADVANCE = "playbook.advance"
_RUNS = UUID("0f6f31d0-7d5c-5b0e-9a53-2c8bb6a86d11")  # the namespace of started_id


def handle(session: Session, tenant: int, events: Sequence[RecordedEvent]) -> Counter[str]:
    """Wake and start runs for the next events of a workspace. Its session's transaction moves the follower's cursor as well."""
    index = library.index(session, tenant)
    plays.alone(
        session, tenant
    )  # first: a run that begins to wait either sees these events in the log, or is seen by us
    awaited = plays.awaited(session, tenant)
    load = loader(session, tenant)
    woken = _wake(session, tenant, events, awaited, load) if awaited else 0
    started = start(session, tenant, matches(index, events, load), load)
    for event in events:
        if event.type == "contact.erased" and event.contact_id:
            plays.erase(session, tenant, event.contact_id)
    if woken or started:
        nudge_after_commit(session, ADVANCE)
    return Counter(woken=woken, started=started)


def loader(session: Session, tenant: int) -> Load:
    """Return what loads records of the workspace, each once."""
    cache: dict[str, dict[str, Mapping[str, Any] | None]] = {}

    def load(kind: str, ids: Iterable[str]) -> Mapping[str, Mapping[str, Any]]:
        known, wanted = cache.setdefault(kind, {}), set(ids)
        missing = wanted - known.keys()
        if missing:
            found = values.read(session, tenant, kind, sorted(missing))
            known.update((id, found.get(id)) for id in missing)
        return {id: record for id in wanted if (record := known[id]) is not None}

    return load


def started_id(playbook_id: int, trigger_id: UUID) -> UUID:
    """Return the id of the playbook.started of what this event starts: the same whenever it is asked."""
    return uuid5(_RUNS, f"{playbook_id}:{trigger_id}")


def start(session: Session, tenant: int, found: Sequence[Match], load: Load) -> int:
    """Start what the gate lets through and keep what it stops as runaway; return how many started. The caller holds `plays.alone`."""
    if not found:
        return 0
    keys = {key for match in found if (key := once_key(match)) and key[1]}
    caused = {match.event.event_id for match in found if match.event.cause_id}
    gate = Gate(
        plays.last_starts(session, keys), plays.ancestry(session, caused, MAX_CAUSES) if caused else {}
    )
    judged = [(match, gate.refusal(match)) for match in found]
    admitted = [match for match, refusal in judged if refusal is None]
    moments = (
        plays.pace(session, tenant, len(admitted), settings().playbook_starts_per_minute) if admitted else []
    )
    runs = [_new_run(match, due_at=due_at) for match, due_at in zip(admitted, moments, strict=True)]
    runs += [
        _new_run(match, state="refused", reason=refusal.reason)
        for match, refusal in judged
        if refusal and refusal.guard
    ]
    made = plays.make(session, tenant, runs)
    plays.keep_starts(session, tenant, {key: gate.last[key] for key in keys if key in gate.last})
    _break(session, tenant, judged)
    numbers = ((match, made.get((match.play.enabled.id, match.event.event_id))) for match in admitted)
    emit(session, [_started(tenant, match, number, load) for match, number in numbers if number])
    return len(admitted)


def _new_run(match: Match, **more: Any) -> NewRun:
    enabled, event = match.play.enabled, match.event
    about: dict[str, Any] = {f"{kind}_id": id for kind, id in match.subjects.items()}
    return NewRun(
        playbook_id=enabled.id,
        version=enabled.version,
        trigger_id=event.event_id,
        started_id=started_id(enabled.id, event.event_id),
        trigger=event,
        seen_seq=event.seq,
        **about,
        **more,
    )


def _started(tenant: int, match: Match, run: int, load: Load) -> Event:
    account = match.subjects.get("account")
    name = load("account", [account]).get(account, {}).get("name") if account else None
    return Event(
        tenant_id=tenant,
        event_id=started_id(match.play.enabled.id, match.event.event_id),
        type="playbook.started",
        source=SOURCE,
        account_id=account,
        contact_id=match.subjects.get("contact"),
        record_type="playbook_run",
        record_id=str(run),
        cause_id=match.event.event_id,
        payload=PlaybookStarted(
            playbook=match.play.program.name,
            version=match.play.enabled.version,
            account_name=name,
            trigger=match.event.type,
        ),
    )


def _break(session: Session, tenant: int, judged: Sequence[tuple[Match, Refusal | None]]) -> None:
    """Pause the playbooks that started themselves too often, and say so."""
    for match, refusal in judged:
        if (
            refusal
            and refusal.pause
            and playbooks.pause(session, tenant, match.play.enabled.id, refusal.reason)
        ):
            log.warning(
                "playbook_paused", tenant_id=tenant, playbook_id=match.play.enabled.id, reason=refusal.reason
            )
            enabled = match.play.enabled
            payload = PlaybookPaused(
                playbook=match.play.program.name, version=enabled.version, reason=refusal.reason
            )
            about: dict[str, Any] = {
                "record_type": "playbook",
                "record_id": str(enabled.id),
                "cause_id": match.event.event_id,
            }
            emit(
                session,
                Event(tenant_id=tenant, type="playbook.paused", source=SOURCE, payload=payload, **about),
            )


def _wake(
    session: Session, tenant: int, events: Sequence[RecordedEvent], awaited: set[str], load: Load
) -> int:
    """Let the runs go on whose event came; return how many."""
    keys_of = {event.event_id: keys for event in events if (keys := _keys(event, awaited, load))}
    if not keys_of:
        return 0
    by_key: dict[tuple[str, str], list[Any]] = {}
    for row in plays.waiting(session, tenant, {key for keys in keys_of.values() for key in keys}):
        by_key.setdefault((row.type, row.subject), []).append(row)
    woken: dict[int, tuple[Any, Woken]] = {}
    for event in events:
        for row in (row for key in keys_of.get(event.event_id, ()) for row in by_key.get(key, ())):
            if row.id not in woken and event.seq > row.seen_seq:
                operation = library.program(session, row.playbook_id, row.version).operations[row.at]
                if meets(operation, facts_of(row, event, load)):
                    woken[row.id] = row, Woken(row.id, row.at, operation.next, event, event.seq)
    moved = plays.wake(session, [wake for _, wake in woken.values()]) if woken else set()
    emit(session, [_heard(session, tenant, row, wake) for row, wake in woken.values() if row.id in moved])
    return len(moved)


def _keys(event: RecordedEvent, awaited: set[str], load: Load) -> list[tuple[str, str]]:
    names = [name for name in names_of(event.type) if name in awaited]
    if not names:
        return []
    contact = event.contact_id if not event.account_id else None
    accounts = (
        {id: found["account_id"] for id, found in load("contact", [contact]).items()} if contact else {}
    )
    return [(name, f"{kind}:{id}") for name in names for kind, id in subjects(event, accounts).items()]


def meets(operation: Operation, facts: Facts) -> bool:
    """Say whether an event is the one that a wait is for."""
    return all(condition.holds(facts) for condition in operation.conditions)


def facts_of(run: Any, event: RecordedEvent | None, load: Load) -> dict[str, Any]:
    """Return what a run's expressions may see; `event` is the last one it heard, or its trigger."""
    facts: dict[str, Any] = {"trigger": decoded(run.trigger), "event": event}
    if event:
        facts["now"] = event.recorded_at
    for kind in ("account", "contact", "opportunity"):
        id = getattr(run, f"{kind}_id")
        facts[kind] = load(kind, [id]).get(id) if id else None
    return facts


def _heard(session: Session, tenant: int, row: Any, woken: Woken) -> Event:
    program = library.program(session, row.playbook_id, row.version)
    return step_completed(tenant, row, program, program.operations[row.at], f"{woken.heard.type} came")
