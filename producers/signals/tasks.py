"""The task that looks for signals in the timeline."""

from collections import Counter

from producers.signals import rules
from producers.signals.configuration import event_rules
from worker.celery import app
from worker.drain import drain
from worker.follow import follow_once, has_unseen
from worker.process.clock import Sweep, look_for

_TASK = "enrichment.signals"
_FOLLOWER = "signals"


@app.task(name=_TASK)  # type: ignore[untyped-decorator]  # celery has no types
def look_for_signals() -> str:
    """Look for signals in the events that have not been examined yet."""
    return drain(_TASK, examine_next)


def examine_next() -> Counter[str]:
    """Examine the next events of every workspace; an empty tally means that there are none."""
    return follow_once(_FOLLOWER, rules.examine) if event_rules() else Counter()


def _has_unexamined() -> bool:
    return bool(event_rules()) and has_unseen(_FOLLOWER)


look_for(Sweep(_TASK, look_for_signals, _has_unexamined))
