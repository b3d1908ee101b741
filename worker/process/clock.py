"""Each worker process is its own clock.

It looks itself, by a monotonic clock, whether work waits that it serves.

A message makes work begin earlier, and nothing else: with the broker away, full, frozen or half-open, with
beat dead or its clock wrong, what is due is done. A look that finds something nudges the task, so that a
worker does it as always and Flower shows it; where that does not help by the next look, or no nudge can be
sent, the clock works itself.
"""

import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass

import structlog
from sqlalchemy.exc import OperationalError

from worker.nudge import nudge
from worker.process import watchdog
from worker.process.logs import Seldom

log = structlog.get_logger()

BOUND_S = 300.0  # longer than any chunk of work takes: past it the process is ended
_FRESH_S = 2.5  # a task that runs for longer may hang: what it holds is claimed, and the rest can be done


@dataclass(frozen=True)
class Sweep:
    """Work that a worker looks for by itself.

    `waits` tells cheaply whether there is any; None: there always is, and only the clock does it. `work` does
    it, and is safe to run at the same time as the task `task`. `every_s` are the seconds between two looks.
    """

    task: str
    work: Callable[[], object]
    waits: Callable[[], bool] | None = None
    every_s: float = 1.0
    bound_s: float = BOUND_S


_sweeps: dict[str, Sweep] = {}


def look_for(found: Sweep) -> None:
    """Have every worker that serves the task's queue look for this work."""
    _sweeps[found.task] = found


def sweeps() -> Collection[Sweep]:
    """Return all work that workers look for."""
    return _sweeps.values()


class Clock:
    """Looks for one kind of work until it is stopped.

    Runs in a thread of its own, so that none waits for another.
    """

    def __init__(self, looks_for: Sweep, nudge: Callable[[str], bool] = nudge) -> None:
        self._sweep, self._nudge = looks_for, nudge
        self._nudged = False
        self._seldom = Seldom()
        self._stopped = threading.Event()

    def start(self) -> None:
        """Begin to look."""
        threading.Thread(target=self.run, name=f"clock {self._sweep.task}", daemon=True).start()

    def stop(self) -> None:
        """Look no more."""
        self._stopped.set()

    def run(self) -> None:
        """Look until `stop`, whatever fails in between."""
        while not self._stopped.wait(self._sweep.every_s):
            try:
                with watchdog.watched(f"clock {self._sweep.task}", self._sweep.bound_s):
                    self.tick()
            except Exception as error:  # noqa: BLE001  # the next look is due in a second; the cause is logged
                self._log(error)

    def tick(self) -> None:
        """Look once, and see to it that what waits is done."""
        if self._sweep.waits is not None and not self._sweep.waits():
            self._nudged = False
        elif self._sweep.task in watchdog.running(_FRESH_S):
            self._nudged = True  # a worker of this process does it already
        elif self._sweep.waits is None or self._nudged or not self._nudge(self._sweep.task):
            self._sweep.work()
        else:
            self._nudged = True

    def _log(self, error: Exception) -> None:
        cause = type(error).__name__
        if self._seldom.is_due(cause):
            # That the database is away is no defect of ours: where it was noticed tells an operator nothing.
            trace = None if isinstance(error, OperationalError) else error
            log.error("clock_failed", task=self._sweep.task, error=cause, exc_info=trace)


def start(queues: Collection[str], queue_of: Callable[[str], str]) -> list[Clock]:
    """Start a clock for each sweep whose task is in one of these queues, and the watchdog.

    Return the clocks.
    """
    watchdog.start()
    clocks = [Clock(found) for found in sweeps() if queue_of(found.task) in queues]
    for clock in clocks:
        clock.start()
    return clocks
