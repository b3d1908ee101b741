"""What an operator sees in Flower: every queue, the failures of a day, and no personal data."""

import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

from cli.deployment.flowermemory import DAY_S, KeepsFailures
from cli.deployment.processes import FLOWER_CONFIG
from worker.foreign import shown

QUEUES = """
import runpy, sys
from flower import views
runpy.run_path(sys.argv[1])
print(*views.BaseHandler.get_active_queue_names(None))
"""


def task(failed_ago: float | None) -> SimpleNamespace:
    return SimpleNamespace(failed=None if failed_ago is None else time.time() - failed_ago)


def test_a_failure_of_the_night_outlives_the_tasks_that_went_well_since() -> None:
    tasks = KeepsFailures(limit=10)
    tasks["night"] = task(failed_ago=8 * 3600)
    tasks["last week"] = task(failed_ago=DAY_S + 1)
    for number in range(1000):
        tasks[f"well {number}"] = task(None)
    assert "night" in tasks
    assert "last week" not in tasks
    assert len(tasks) == 10


def test_what_is_remembered_stays_bounded_when_all_fails() -> None:
    tasks = KeepsFailures(limit=10)
    for number in range(1000):
        tasks[f"failed {number}"] = task(failed_ago=1)
    assert len(tasks) == 10


def test_every_queue_is_shown_before_any_worker_has_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACTIVITY_REDIS_URL", "redis://127.0.0.1:1/0")
    shown_queues = subprocess.run(
        [sys.executable, "-c", QUEUES, str(FLOWER_CONFIG)], capture_output=True, text=True, check=True
    ).stdout.split()
    assert shown_queues == ["append", "default", "enrichment", "playbooks", "sequences"]


@pytest.mark.parametrize(
    ("described", "line"),
    [
        ("[{'actor': 'jo@person.example'}]", "(events, not shown)"),
        ("([{'actor': 'jo@person.example'}],)", "(events, not shown)"),
        ("{'events': [{'actor': 'jo@person.example'}]}", "(events, not shown)"),
        (" {'events': 5}", "(events, not shown)"),
        ("deal.stage_changed d_77", "deal.stage_changed d_77"),
        ("()", "()"),
        ("{}", "{}"),
        ("", ""),
        (None, None),
    ],
)
def test_the_events_of_a_message_are_shown_by_their_senders_words_alone(
    described: str | None, line: str | None
) -> None:
    assert shown(described) == line
