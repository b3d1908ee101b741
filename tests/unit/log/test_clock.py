"""A worker is its own clock: what waits is done, whatever became of the message for it."""

from collections import Counter
from collections.abc import Callable, Iterator
from importlib.metadata import version

import pytest
from sqlalchemy.exc import OperationalError

from worker.process import watchdog
from worker.process.broker import VERSIONS
from worker.process.clock import Clock, Sweep


class Day:
    """What a clock found and did."""

    def __init__(self, waits: Callable[[], bool] | None, nudge_arrives: bool) -> None:
        self.did: Counter[str] = Counter()
        self._arrives = nudge_arrives
        self.clock = Clock(Sweep("some.task", self._work, waits), self._nudge)

    def _work(self) -> None:
        self.did["work"] += 1

    def _nudge(self, task: str) -> bool:
        self.did["nudge"] += 1
        return self._arrives


@pytest.fixture(autouse=True)
def _nothing_runs() -> Iterator[None]:
    yield
    watchdog.end()


def test_what_waits_is_nudged_first_and_done_at_the_next_look() -> None:
    day = Day(lambda: True, nudge_arrives=True)
    day.clock.tick()
    assert day.did == {"nudge": 1}
    day.clock.tick()
    assert day.did == {"nudge": 1, "work": 1}


def test_what_waits_is_done_at_once_where_no_nudge_can_be_sent() -> None:
    day = Day(lambda: True, nudge_arrives=False)
    day.clock.tick()
    assert day.did == {"nudge": 1, "work": 1}


def test_where_nothing_waits_nothing_is_sent_and_nothing_is_done() -> None:
    day = Day(lambda: False, nudge_arrives=True)
    day.clock.tick()
    assert day.did == {}


def test_work_that_always_waits_is_done_by_the_clock_alone() -> None:
    day = Day(None, nudge_arrives=True)
    day.clock.tick()
    assert day.did == {"work": 1}


def test_what_a_worker_of_the_process_does_already_is_left_to_it() -> None:
    day = Day(lambda: True, nudge_arrives=True)
    watchdog.begin("some.task", 60)
    day.clock.tick()
    assert day.did == {}


def test_a_task_that_runs_for_long_may_hang_and_holds_nothing_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.process.clock._FRESH_S", 0.0)
    day = Day(lambda: True, nudge_arrives=False)
    watchdog.begin("some.task", 60)
    day.clock.tick()
    assert day.did["work"] == 1


def test_a_look_that_fails_is_logged_once_and_the_next_one_is_made() -> None:
    looks = Counter[str]()

    def waits() -> bool:
        looks["made"] += 1
        if looks["made"] == 5:
            clock.stop()
        raise ConnectionError

    clock = Clock(Sweep("some.task", lambda: None, waits, every_s=0.001))
    clock.run()
    assert looks["made"] == 5
    assert watchdog.running() == set()


@pytest.mark.parametrize(
    ("error", "traced"), [(OperationalError("select", None, Exception()), False), (KeyError("x"), True)]
)
def test_a_database_that_is_away_is_one_line_and_a_defect_has_its_traceback(
    monkeypatch: pytest.MonkeyPatch, error: Exception, traced: bool
) -> None:
    logged: list[dict[str, object]] = []

    class Log:
        @staticmethod
        def error(event: str, **fields: object) -> None:
            logged.append({"event": event, **fields})

    def waits() -> bool:
        clock.stop()
        raise error

    monkeypatch.setattr("worker.process.clock.log", Log)
    clock = Clock(Sweep("some.task", lambda: None, waits, every_s=0.001))
    clock.run()
    (line,) = logged
    assert (line["event"], line["error"]) == ("clock_failed", type(error).__name__)
    assert bool(line["exc_info"]) == traced


def test_work_past_its_bound_ends_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.process.watchdog.time.sleep", lambda _: None)
    ended: list[int] = []
    watchdog.begin("some.task", -1.0)
    watchdog._watch(ended.append)
    assert ended == [watchdog.STUCK]


def test_the_guard_against_a_lost_broker_is_looked_at_with_each_new_release() -> None:
    assert {name: version(name) for name in VERSIONS} == VERSIONS, (
        "does a busy worker outlive its broker now?"
    )
