"""Whatever crashes, and in whatever order: the set of effects is the same."""

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import worker.emit
from db.engine import begin
from db.playbooks import runs
from producers.playbooks import operate
from producers.playbooks.advance import advance_batch
from producers.playbooks.start import handle
from producers.playbooks.tasks import FOLLOWER
from tests.plays import World
from worker.append import append_batch
from worker.follow import follow_once

# Of the claims that a crash left: a run that waits for longer or less is not one.
END_LEASES = """update playbook.run set due_at = now(), fence = fence + 1
                 where state in ('running', 'waiting')
                  and due_at between now() + interval '80 seconds' and now() + interval '100 seconds'"""


class Crash(BaseException):
    """A process that is gone: nothing catches it."""


STEPS: st.SearchStrategy[Any] = st.deferred(lambda: st.lists(SIMPLE | BRANCH | WAIT, min_size=1, max_size=3))
SIMPLE: st.SearchStrategy[Any] = st.sampled_from(
    [
        {"do": "add_note", "text": "{{ account.name }}"},
        {
            "do": "create_task",
            "title": "x",
            "assign_to": "round_robin",
            "members": ["a@vendor.example", "b@vendor.example"],
        },
        {"do": "update_field", "record": "account", "field": "touched", "value": True},
        {"do": "change_stage", "to": "Won"},  # fails: the run is about no deal
        {"do": "wait", "for": "1h"},
        {"do": "stop"},
    ]
)
BRANCH: st.SearchStrategy[Any] = st.builds(
    lambda met, then, other: {"do": "branch", "if": met, "then": then, "else": other},
    st.sampled_from(["true", "account.id == ''"]),
    STEPS,
    STEPS,
)
WAIT: st.SearchStrategy[Any] = st.builds(
    lambda type, steps: {"do": "wait_for_event", "event": type, "within": "1h", "on_timeout": steps},
    st.sampled_from(["call.completed", "acme.never"]),
    STEPS,
)


def play_through(
    world: World, crashes: list[int], monkeypatch: pytest.MonkeyPatch
) -> Counter[tuple[str, str | None, str | None]]:
    """Let one signal and one call happen and all come to rest, with crashes at these commits."""
    left, commits = set(crashes), 0

    def crash_at_times() -> None:
        nonlocal commits
        commits += 1
        if commits in left:
            raise Crash

    def emit(session: Any, events: Any) -> int:
        count = real_emit(session, events)
        crash_at_times()
        return count

    real_emit, real_moved = worker.emit.emit, runs.update

    def moved(*args: Any, **columns: Any) -> None:
        real_moved(*args, **columns)
        crash_at_times()

    with monkeypatch.context() as patch:
        for module in (
            "producers.playbooks.advance",
            "producers.playbooks.start",
            "producers.playbooks.steps.effects",
        ):
            patch.setattr(f"{module}.emit", emit)
        patch.setattr("db.playbooks.runs.update", moved)
        for signal in ("signal", "call", "time", "time", "time", "time"):
            if signal == "time":
                world.pass_time()
            else:
                world.say("signal.detected" if signal == "signal" else "call.completed", {"signal": "x"})
            settle(world)
    return said(world)


def settle(world: World) -> None:
    """Move everything on until it rests; after a crash the leases end, and another process goes on."""
    while True:
        try:
            while append_batch(100) or follow_once(FOLLOWER, handle) or advance_batch():
                pass
            return
        except Crash:
            world.admin.execute(END_LEASES)


def said(world: World) -> Counter[tuple[str, str | None, str | None]]:
    """Return what playbooks said: type, step and what came of it."""
    query = """select type, payload->>'step', coalesce(payload->>'reason', payload->>'assignee')
                 from activity.event where tenant_id = %s and source = 'playbook'"""
    return Counter(world.sql(query, world.tenant))


@settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
    ],
)
@given(steps=STEPS, crashes=st.lists(st.integers(1, 25), max_size=6))
def test_no_order_of_crashes_changes_what_a_play_does(
    admin: psycopg.Connection[Any],
    make_tenant: Callable[[], int],
    monkeypatch: pytest.MonkeyPatch,
    steps: list[Any],
    crashes: list[int],
) -> None:
    results = []
    for moments in ([], crashes):
        world = World(admin, make_tenant())
        with begin("producer", world.tenant) as session:
            definition = json.dumps({"name": "P", "trigger": {"event": "signal.detected"}, "steps": steps})
            operate.save(session, world.tenant, definition, "test")
            operate.enable(session, world.tenant, "P", "test")
        results.append(play_through(world, moments, monkeypatch))
        rest = world.sql("select state, due_at is null from playbook.run where tenant_id = %s", world.tenant)
        assert rest in ([("completed", True)], [("failed", True)]), rest
    assert results[0] == results[1]
    assert results[0]["playbook.started", None, None] == 1
