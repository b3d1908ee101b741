"""Start runs by the clock: when a schedule's moment has come, its records are tried a page at a time, each once for that moment."""

from collections import Counter
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy.orm import Session

from activity.catalogue.types.automation import PlaybookStarted
from activity.event import Event
from activity.settings import settings
from db.claim import LeaseLost, claim, finish
from db.engine import EVERY_TENANT, begin
from db.playbooks import playbooks
from db.playbooks import runs as plays
from db.playbooks.playbooks import SCHEDULES
from db.playbooks.runs import NewRun
from db.records import values
from producers.playbooks.definition import cache
from producers.playbooks.definition.document import ScheduleTrigger
from producers.playbooks.definition.program import Program
from producers.playbooks.events import SOURCE
from producers.playbooks.start import ADVANCE, started_id
from worker.emit import emit
from worker.nudge import nudge_after_commit

PAGE = 500
_MOMENTS = UUID("5a1d53d2-0a2f-5c8e-8a0b-0d7c6f3f6e44")  # the namespace of what triggers a scheduled run


def sweep() -> Counter[str]:
    """Work off one page of each schedule that is due; an empty tally says that none was."""
    with begin("producer", EVERY_TENANT) as session:
        rows = claim(session, SCHEDULES, 10)
    tally: Counter[str] = Counter()
    for row in rows:
        try:
            with begin("producer", row.tenant_id) as session:
                tally["started"] += _page(session, row)
        except LeaseLost:
            tally["lost"] += 1
    return tally


def _page(session: Session, row: playbooks.ClaimedSchedule) -> int:
    """Try the next records of a moment; after the last, wait for the next. Moments that passed while nothing ran are made up for once."""
    program = cache.program(session, row.id, row.version)
    trigger = program.definition.trigger
    if not isinstance(trigger, ScheduleTrigger):
        finish(session, SCHEDULES, row)
        return 0
    records = values.read_after(session, row.tenant_id, trigger.for_each, row.after_id or "", PAGE)
    met = [
        record for record in records if _meets(program, trigger, record, session, row.tenant_id, row.moment)
    ]
    started = start_records(
        session, row.tenant_id, row.id, row.version, program, trigger.for_each, met, row.moment
    )
    if len(records) == PAGE:
        finish(session, SCHEDULES, row, datetime.now(UTC))
        playbooks.swept(session, row.id, row.moment, records[-1]["id"])
    else:
        coming = program.next_moment(datetime.now(UTC))
        assert coming is not None
        finish(session, SCHEDULES, row, coming)
        playbooks.swept(session, row.id, coming, None)
    return started


def _meets(
    program: Program,
    trigger: ScheduleTrigger,
    record: dict[str, Any],
    session: Session,
    tenant: int,
    now: datetime,
) -> bool:
    facts: dict[str, Any] = {trigger.for_each: record, "now": now}
    account = record.get("account_id")
    if account and any("account" in condition.records for condition in program.conditions):
        facts["account"] = values.read(session, tenant, "account", [account]).get(account)
    return all(condition.holds(facts) for condition in program.conditions)


def start_records(
    session: Session,
    tenant: int,
    id: int,
    version: int,
    program: Program,
    kind: str,
    records: list[dict[str, Any]],
    moment: datetime,
) -> int:
    """Start a run for each record, as the once-per rule and the rate limit let it; return how many started."""
    if not records:
        return 0
    plays.alone(session, tenant)
    once = program.definition.playbook.once_per
    keys = (
        {record["id"]: (id, f"{once}:{_about(kind, record).get(once)}") for record in records}
        if once != "event"
        else {}
    )
    last = plays.last_starts(session, keys.values())
    chosen: list[dict[str, Any]] = []
    for record in records:
        key = keys.get(record["id"])
        before = last.get(key) if key else None
        if before is None or (program.cooldown is not None and moment - before >= program.cooldown):
            chosen.append(record)
            if key:
                last[key] = moment
    moments = (
        plays.pace(session, tenant, len(chosen), settings().playbook_starts_per_minute) if chosen else []
    )
    runs = [
        _run(id, version, kind, record, moment, due_at)
        for record, due_at in zip(chosen, moments, strict=True)
    ]
    made = plays.make(session, tenant, runs)
    plays.keep_starts(session, tenant, {key: at for key, at in last.items() if at == moment})
    emit(
        session,
        [
            _started(tenant, run, made[id, run.trigger_id], program)
            for run in runs
            if (id, run.trigger_id) in made
        ],
    )
    if made:
        nudge_after_commit(session, ADVANCE)
    return len(made)


def _about(kind: str, record: dict[str, Any]) -> dict[str, str]:
    about = {kind: record["id"], "account": record["id"] if kind == "account" else record.get("account_id")}
    return {name: id for name, id in about.items() if id}


def _run(
    id: int, version: int, kind: str, record: dict[str, Any], moment: datetime, due_at: datetime
) -> NewRun:
    trigger_id = uuid5(_MOMENTS, f"{id}:{moment.isoformat()}:{kind}:{record['id']}")
    about: dict[str, Any] = {f"{name}_id": value for name, value in _about(kind, record).items()}
    return NewRun(
        playbook_id=id,
        version=version,
        trigger_id=trigger_id,
        started_id=started_id(id, trigger_id),
        due_at=due_at,
        **about,
    )


def _started(tenant: int, run: NewRun, number: int, program: Program) -> Event:
    return Event(
        tenant_id=tenant,
        event_id=run.started_id,
        type="playbook.started",
        source=SOURCE,
        account_id=run.account_id,
        contact_id=run.contact_id,
        record_type="playbook_run",
        record_id=str(number),
        payload=PlaybookStarted(playbook=program.name, version=run.version, trigger="schedule"),
    )
