"""The tasks of enrichment: work passes off, ask for stale records again and prune the ledger."""

from datetime import timedelta

from db.claim import is_due
from db.engine import EVERY_TENANT, begin
from db.enrichment import passes
from db.records import values
from producers.enrichment.asking import TASK, Priority, ask_all
from producers.enrichment.configuration import configuration
from producers.enrichment.run import work_off
from worker.celery import app
from worker.drain import drain
from worker.process.clock import Sweep, look_for

_SCHEDULE = "enrichment.schedule"
_AT_ONCE = 500  # stale records asked for in one sweep
_RETENTION = timedelta(days=400)  # of ended passes and their calls: a full year's budget can be checked


@app.task(name=TASK)  # type: ignore[untyped-decorator]  # celery has no types
def run() -> str:
    """Work off the enrichment passes that are due."""
    return drain(TASK, work_off)


def _is_pass_due() -> bool:
    with begin("producer", EVERY_TENANT) as session:
        return is_due(session, passes.PASSES)


@app.task(name=_SCHEDULE)  # type: ignore[untyped-decorator]  # celery has no types
def schedule() -> str:
    """Ask for records whose last pass is older than the schedule allows, and delete old passes."""
    asked = ask_for_stale()
    with begin("producer", EVERY_TENANT) as session:
        gone = passes.purge(session, _RETENTION)
    return f"{asked} asked for, {gone} old passes deleted"


def ask_for_stale() -> int:
    """Queue a pass for each stale record, a few hundred at a time; return how many."""
    asked = 0
    for kind, plan in configuration().schedule.items():
        with begin("producer", EVERY_TENANT) as session:
            stale = passes.stale(session, kind, timedelta(days=plan.after_days), _AT_ONCE)
            for tenant, found in stale.items():
                existing = values.existing(session, tenant, kind, found)
                passes.forget(session, tenant, kind, sorted(set(found) - existing))
                made = ask_all(session, tenant, kind, existing, plan.fields, priority=Priority.SCHEDULE)
                asked += len(made)
    return asked


look_for(Sweep(TASK, run, _is_pass_due))
look_for(Sweep(_SCHEDULE, schedule, every_s=60))
