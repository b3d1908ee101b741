"""Start runs by the clock and by hand, for records instead of events.

When a schedule's moment has come, its records are tried a page at a time, each once for that moment.
"""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID, uuid5

from sqlalchemy.orm import Session

from activity.event import Event
from activity.settings import settings
from db.claim import LeaseLost, claim, finish
from db.engine import EVERY_TENANT, begin
from db.playbooks import playbooks, starts
from db.playbooks.playbooks import SCHEDULES, DueSchedule
from db.playbooks.starts import NewRun, StartKey
from db.records import values
from producers.playbooks.definition import cache
from producers.playbooks.definition.document import ScheduleTrigger
from producers.playbooks.definition.program import Program
from producers.playbooks.events import SCHEDULED, started, started_id
from producers.playbooks.facts import Record
from producers.playbooks.matching import near
from producers.playbooks.start import ADVANCE
from worker.emit import emit
from worker.nudge import nudge_after_commit

PAGE = 500
_MOMENTS = UUID("5a1d53d2-0a2f-5c8e-8a0b-0d7c6f3f6e44")  # the namespace of trigger ids that are no event's


class RecordStart(NamedTuple):
    """A start of a playbook for records of one kind: by its schedule, or by hand of `actor`."""

    tenant: int
    playbook_id: int
    version: int
    program: Program
    kind: str
    moment: datetime
    trigger: str = SCHEDULED
    actor: str = "system"

    def key(self, record: Record) -> StartKey | None:
        """Return what the playbook starts once for; None where it starts at any time."""
        once = self.program.definition.playbook.once_per
        if once == "event":
            return None
        return self.playbook_id, f"{once}:{_subjects(self.kind, record).get(once)}"

    def new_run(self, record: Record, due_at: datetime) -> NewRun:
        """Return the run of a record; the same record at the same moment has the same trigger id."""
        name = f"{self.playbook_id}:{self.moment.isoformat()}:{self.kind}:{record['id']}"
        trigger_id = uuid5(_MOMENTS, name)
        about = {f"{kind}_id": id for kind, id in _subjects(self.kind, record).items()}
        return NewRun(
            playbook_id=self.playbook_id,
            version=self.version,
            trigger_id=trigger_id,
            started_id=started_id(self.playbook_id, trigger_id),
            due_at=due_at,
            **about,  # type: ignore[arg-type]  # the ids of account, contact and opportunity, by name
        )


def sweep() -> Counter[str]:
    """Work off one page of each schedule that is due; an empty tally means that none was."""
    with begin("producer", EVERY_TENANT) as session:
        schedules = claim(session, SCHEDULES, 10)
    tally: Counter[str] = Counter()
    for schedule in schedules:
        try:
            with begin("producer", schedule.tenant_id) as session:
                tally["started"] += _page(session, schedule)
        except LeaseLost:
            tally["lost"] += 1
    return tally


def _page(session: Session, schedule: DueSchedule) -> int:
    """Try the next records of a moment; after the last, wait for the next moment.

    Moments that passed while nothing ran are made up for once.
    """
    program = cache.program(session, schedule.id, schedule.version)
    trigger = program.definition.trigger
    if not isinstance(trigger, ScheduleTrigger):
        finish(session, SCHEDULES, schedule)
        return 0
    tenant, moment, kind = schedule.tenant_id, schedule.moment, trigger.for_each
    records = values.read_after(session, tenant, kind, schedule.after_id or "", PAGE)
    met = [record for record in records if _is_met(session, tenant, program, kind, record, moment)]
    new = RecordStart(tenant, schedule.id, schedule.version, program, kind, moment)
    count = start_records(session, new, met)
    _finish_page(session, schedule, program, records)
    return count


def _finish_page(session: Session, schedule: DueSchedule, program: Program, records: list[Record]) -> None:
    now = datetime.now(UTC)
    if len(records) == PAGE:
        finish(session, SCHEDULES, schedule, now)
        playbooks.save_schedule_progress(session, schedule.id, schedule.moment, records[-1]["id"])
        return
    following = program.next_moment(now)
    assert following is not None
    finish(session, SCHEDULES, schedule, following)
    playbooks.save_schedule_progress(session, schedule.id, following, None)


def tried(session: Session, tenant: int, program: Program, kind: str) -> Iterator[tuple[Record, bool]]:
    """Yield every record of a kind, and whether it meets a playbook's conditions now."""
    after, now = "", datetime.now(UTC)
    while records := values.read_after(session, tenant, kind, after, PAGE):
        for record in records:
            yield record, _is_met(session, tenant, program, kind, record, now)
        after = records[-1]["id"]


def _is_met(
    session: Session, tenant: int, program: Program, kind: str, record: Record, now: datetime
) -> bool:
    visible: Record = {kind: record, "now": now}
    account = record.get("account_id")
    if account and any("account" in condition.records for condition in program.conditions):
        visible["account"] = values.read(session, tenant, "account", [account]).get(account)
    return all(condition.holds(visible) for condition in program.conditions)


def start_records(session: Session, start: RecordStart, records: list[Record]) -> int:
    """Start a run for each record that the once-per rule admits; return how many started."""
    if not records:
        return 0
    starts.lock_workspace(session, start.tenant)
    chosen = _choose(session, start, records)
    limit = settings().playbook_starts_per_minute
    moments = starts.reserve_starts(session, start.tenant, start.playbook_id, len(chosen), limit)
    runs = [start.new_run(record, due_at) for record, due_at in zip(chosen, moments, strict=True)]
    created = starts.create_runs(session, start.tenant, runs)
    numbered = [(run, created.get((run.playbook_id, run.trigger_id))) for run in runs]
    emit(session, [_started(start, run, number) for run, number in numbered if number])
    if created:
        nudge_after_commit(session, ADVANCE)
    return len(created)


def _choose(session: Session, start: RecordStart, records: list[Record]) -> list[Record]:
    """Return the records for which the once-per rule admits a start, and record these starts."""
    keys = [start.key(record) for record in records]
    forbidden = near(start.program.cooldown, start.moment, start.moment)
    before = set(starts.starts_in(session, {key: forbidden for key in keys if key}))
    chosen: list[Record] = []
    new: list[StartKey] = []
    for record, key in zip(records, keys, strict=True):
        if key not in before:
            chosen.append(record)
            if key:
                new.append(key)
                before.add(key)
    starts.save_starts(session, start.tenant, [(key, start.moment) for key in new])
    return chosen


def _started(start: RecordStart, run: NewRun, number: int) -> Event:
    name = start.program.name
    return started(start.tenant, run, number, name, trigger=start.trigger, actor=start.actor)


def _subjects(kind: str, record: Record) -> dict[str, str]:
    account = record["id"] if kind == "account" else record.get("account_id")
    return {name: id for name, id in ((kind, record["id"]), ("account", account)) if id}
