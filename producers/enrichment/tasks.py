"""Beside the passes: stale records are asked for again, the ledger is pruned, signals are looked for."""

from collections import Counter
from datetime import timedelta

from db.engine import EVERY_TENANT, begin
from db.enrichment import passes
from db.records import values
from producers.enrichment.asking import Priority, ask_all
from producers.enrichment.configuration import configuration
from producers.signals import rules
from worker.celery import app
from worker.clock import Sweep, look_for
from worker.drain import drain
from worker.follow import follow_once, has_unseen

_AT_ONCE = 500  # stale records asked for in one sweep
_KEPT = timedelta(
    days=400
)  # how long an ended pass and its calls are kept: a full year's budget can be checked


@app.task(name="enrichment.schedule")  # type: ignore[untyped-decorator]  # celery has no types
def schedule() -> str:
    """Ask for records whose last pass is older than the schedule says, and delete what is kept no longer."""
    asked = ask_for_stale()
    with begin("producer", EVERY_TENANT) as session:
        gone = passes.purge(session, _KEPT)
    return f"{asked} asked for, {gone} old passes deleted"


def ask_for_stale() -> int:
    """Queue a pass for each stale record, a few hundred at a time; return how many."""
    asked = 0
    for kind, plan in configuration().schedule.items():
        with begin("producer", EVERY_TENANT) as session:
            by_tenant: dict[int, list[str]] = {}
            for row in passes.stale(session, kind, timedelta(days=plan.after_days), _AT_ONCE):
                by_tenant.setdefault(row.tenant_id, []).append(row.record_id)
            for tenant, found in by_tenant.items():
                there = values.existing(session, tenant, kind, found)
                passes.forget(session, tenant, kind, sorted(set(found) - there))
                asked += len(ask_all(session, tenant, kind, there, plan.fields, priority=Priority.SCHEDULE))
    return asked


@app.task(name="enrichment.signals")  # type: ignore[untyped-decorator]  # celery has no types
def look_for_signals() -> str:
    """Look for signals in the events that nobody has looked at yet."""
    return drain("enrichment.signals", examine_next)


def examine_next() -> Counter[str]:
    """Examine the next events of every workspace; an empty tally says that there are none."""
    return (
        follow_once("signals", rules.examine)
        if any(rule.events for rule in configuration().signals)
        else Counter()
    )


def _has_unexamined() -> bool:
    return any(rule.events for rule in configuration().signals) and has_unseen("signals")


look_for(Sweep("enrichment.signals", look_for_signals, _has_unexamined))
look_for(Sweep("enrichment.schedule", schedule, every_s=60))
