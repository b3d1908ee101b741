"""What recorded events do: waiting runs go on and new runs start, in the follower's transaction."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy.orm import Session

from activity.event import Event, RecordedEvent
from activity.settings import settings
from db.playbooks import handed_out, playbooks, runs, starts
from db.playbooks.merges import MergedKind, follow_merge
from db.playbooks.runs import PlaybookRun, Wakeup
from db.playbooks.starts import NewRun
from producers.playbooks.definition import cache
from producers.playbooks.definition.document import names_of
from producers.playbooks.events import paused, started, started_id, step_completed
from producers.playbooks.facts import Load, record_loader
from producers.playbooks.matching import (
    MAX_CAUSES,
    Gate,
    Index,
    Refusal,
    TriggerMatch,
    matches,
    spans,
    subjects,
)
from producers.playbooks.steps.handed_out import follow_completed
from producers.playbooks.stop import cancel_about
from producers.playbooks.waiting import ends_wait
from worker.emit import emit
from worker.nudge import nudge_after_commit

log = structlog.get_logger()

ADVANCE = "playbook.advance"
_MERGED: dict[str, MergedKind] = {"account.merged": "account", "contact.merged": "contact"}
_IDENTITY = {"contact.erased", *_MERGED}  # after these, events find other runs than before
Judged = Sequence[tuple[TriggerMatch, Refusal | None]]


def handle(session: Session, tenant: int, events: Sequence[RecordedEvent]) -> Counter[str]:
    """Wake and start runs for the next events of a workspace; the session also moves the cursor."""
    # First: a run that begins to wait either sees these events in the log, or is seen here; and a playbook
    # that is paused starts nothing afterwards.
    starts.lock_workspace(session, tenant)
    index = cache.index(session, tenant)
    tally: Counter[str] = Counter()
    for part in _parts(events):
        tally += _handle(session, tenant, part, index)
        _follow_person(session, tenant, part[-1])
    if tally:
        nudge_after_commit(session, ADVANCE)
    return tally


def _parts(events: Sequence[RecordedEvent]) -> Iterator[Sequence[RecordedEvent]]:
    """Yield the events up to each after which a record is another one's, or nobody's."""
    begin = 0
    for end, event in enumerate(events, 1):
        if event.type in _IDENTITY or end == len(events):
            yield events[begin:end]
            begin = end


def _handle(session: Session, tenant: int, events: Sequence[RecordedEvent], index: Index) -> Counter[str]:
    awaited = runs.awaited_names(session, tenant)
    load = record_loader(session, tenant)
    woken = _wake(session, tenant, events, awaited, load) if awaited else 0
    new = start(session, tenant, matches(index, events, load), load)
    follow_completed(session, tenant, events)
    return +Counter(woken=woken, started=new)


def _follow_person(session: Session, tenant: int, event: RecordedEvent) -> None:
    """Cancel what is under way about a person who was erased; let a merged record's be the other one's."""
    if event.type == "contact.erased" and event.contact_id:
        runs.erase(session, tenant, event.contact_id)
        cancel_about(session, tenant, event.contact_id, event.actor, "the contact was erased")
    elif event.type in _MERGED:
        kind = _MERGED[event.type]
        merged, into = event.fields().get("merged_id"), subjects(event, {}).get(kind)
        if isinstance(merged, str) and into and into != merged:
            follow_merge(session, tenant, kind, merged, into)


def start(session: Session, tenant: int, found: Sequence[TriggerMatch], load: Load) -> int:
    """Start what the gate admits and record what it stops as runaway; return how many started.

    The caller holds the workspace's lock.
    """
    if not found:
        return 0
    judged = _judge(session, tenant, found)
    admitted = [match for match, refusal in judged if refusal is None]
    due = _moments(session, tenant, [match.play.enabled.id for match in admitted])
    new = [_new_run(match, due_at=next(due[match.play.enabled.id])) for match in admitted]
    created = starts.create_runs(session, tenant, [*new, *_runaways(judged)])
    _pause_runaways(session, tenant, judged)
    numbers = [created.get((run.playbook_id, run.trigger_id)) for run in new]
    of_runs = zip(admitted, new, numbers, strict=True)
    emit(session, [_started(tenant, match, run, number, load) for match, run, number in of_runs if number])
    return len(admitted)


def _moments(session: Session, tenant: int, playbooks: Sequence[int]) -> dict[int, Iterator[datetime]]:
    """Return when the starts of each playbook may begin, one after the other."""
    limit = settings().playbook_starts_per_minute
    counts = sorted(Counter(playbooks).items())
    return {id: iter(starts.reserve_starts(session, tenant, id, count, limit)) for id, count in counts}


def _judge(session: Session, tenant: int, found: Sequence[TriggerMatch]) -> Judged:
    """Return why each match may not start, or None; record when the playbooks started."""
    caused = {match.event.event_id for match in found if match.event.cause_id}
    above = starts.ancestry(session, caused, MAX_CAUSES) if caused else {}
    gate = Gate(starts.starts_in(session, spans(found)), ancestry=above)
    judged = [(match, gate.refusal(match)) for match in found]
    starts.save_starts(session, tenant, gate.admitted)
    return judged


def _runaways(judged: Judged) -> list[NewRun]:
    return [
        _new_run(match, state="refused", reason=refusal.reason)
        for match, refusal in judged
        if refusal and refusal.guard
    ]


def _new_run(match: TriggerMatch, **more: Any) -> NewRun:
    enabled, event = match.play.enabled, match.event
    about = {f"{kind}_id": id for kind, id in match.subjects.items()}
    return NewRun(
        playbook_id=enabled.id,
        version=enabled.version,
        trigger_id=event.event_id,
        started_id=started_id(enabled.id, event.event_id),
        trigger=event,
        seen_seq=event.seq,
        **about | more,
    )


def _started(tenant: int, match: TriggerMatch, run: NewRun, number: int, load: Load) -> Event:
    account = match.subjects.get("account")
    name = load("account", [account]).get(account, {}).get("name") if account else None
    return started(tenant, run, number, match.play.program.name, account_name=name)


def _pause_runaways(session: Session, tenant: int, judged: Judged) -> None:
    """Pause the playbooks that started themselves too often, with an event."""
    for match, refusal in judged:
        if refusal is None or not refusal.pause:
            continue
        id, version, _ = match.play.enabled
        if playbooks.pause(session, tenant, id, refusal.reason):
            log.warning("playbook_paused", tenant_id=tenant, playbook_id=id, reason=refusal.reason)
            name, cause = match.play.program.name, match.event.event_id
            emit(session, paused(tenant, id, version, name, refusal.reason, cause=cause))
            message = f"{name} is paused: {refusal.reason}"
            handed_out.alert_owner(session, tenant, id, version, message)


def _wake(
    session: Session, tenant: int, events: Sequence[RecordedEvent], awaited: set[str], load: Load
) -> int:
    """Let the runs go on whose event came; return how many."""
    keys_of = {event.event_id: keys for event in events if (keys := _keys(event, awaited, load))}
    if not keys_of:
        return 0
    by_key: dict[tuple[str, str], list[PlaybookRun]] = defaultdict(list)
    for key, run in runs.find_waiting(session, tenant, {key for keys in keys_of.values() for key in keys}):
        by_key[key].append(run)
    wakeups: dict[int, tuple[PlaybookRun, Wakeup]] = {}
    for event in events:
        for run in (run for key in keys_of.get(event.event_id, ()) for run in by_key.get(key, ())):
            if run.id not in wakeups and (wakeup := _wakeup(session, run, event, load)):
                wakeups[run.id] = run, wakeup
    woken = runs.wake(session, [wakeup for _, wakeup in wakeups.values()])
    emit(session, [_came(session, run, wakeup) for run, wakeup in wakeups.values() if run.id in woken])
    return len(woken)


def _wakeup(session: Session, run: PlaybookRun, event: RecordedEvent, load: Load) -> Wakeup | None:
    """Return how the run goes on at this event; None where it is not what the run waits for."""
    if event.seq <= run.seen_seq:
        return None
    operation = cache.program(session, run.playbook_id, run.version).operations[run.at]
    if not ends_wait(run, operation, event, run.since, load):
        return None
    return Wakeup(run.id, run.at, operation.next, event, event.seq)


def _keys(event: RecordedEvent, awaited: set[str], load: Load) -> list[tuple[str, str]]:
    names = [name for name in names_of(event.type) if name in awaited]
    if not names:
        return []
    contacts = [event.contact_id] if event.contact_id and not event.account_id else []
    accounts = {id: record["account_id"] for id, record in load("contact", contacts).items()}
    return [(name, f"{kind}:{id}") for name in names for kind, id in subjects(event, accounts).items()]


def _came(session: Session, run: PlaybookRun, wakeup: Wakeup) -> Event:
    program = cache.program(session, run.playbook_id, run.version)
    return step_completed(run, program, program.operations[run.at], f"{wakeup.event.type} came")
