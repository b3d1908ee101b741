"""What waits promise: none is missed, none is met by what does not meet its conditions."""

from datetime import UTC, datetime, timedelta

import pytest

from db.engine import begin
from producers.playbooks import operate, waiting
from tests.plays import World, playbook

NOTE = "  - {do: add_note, text: 'about {{ account.name }}'}"


def test_an_awaited_event_lets_the_run_go_on(world: World) -> None:
    steps = (
        "  - {do: wait_for_event, event: call.completed, within: 4h, on_timeout: [{do: create_task, title: "
        "Late}]}\n" + NOTE
    )
    world.play(playbook(steps))
    world.say()
    world.settle()
    assert world.states() == ["waiting"]
    world.say("call.completed", {}, account_id="other")
    world.settle()
    assert world.states() == ["waiting"]
    world.say("call.completed", {})
    world.settle()
    assert world.states() == ["completed"]
    assert world.types()["task.created"] == 0
    assert world.sql("select count(*) from playbook.wait") == [(0,)]


def test_a_wait_that_is_over_does_its_own_steps_and_goes_on(world: World) -> None:
    steps = (
        "  - {do: wait_for_event, event: call.completed, within: 4h, on_timeout: [{do: create_task, title: "
        "Late}]}\n" + NOTE
    )
    world.play(playbook(steps))
    world.say()
    world.settle()
    world.pass_time()
    world.settle()
    assert world.states() == ["completed"]
    assert world.types()["task.created"] == world.types()["note.added"] == 1


def test_an_event_that_came_before_the_run_began_to_wait_is_not_missed(world: World) -> None:
    world.play(
        playbook(
            "  - {do: wait, for: 3d}\n  - {do: wait_for_event, event: email.replied, within: 1d}\n" + NOTE
        )
    )
    world.say()
    world.settle()
    world.say("email.replied", {}, contact_id="jo")
    world.settle()
    assert world.states() == ["waiting"]
    world.pass_time()
    world.settle()
    assert world.states() == ["completed"]


def test_an_awaited_event_must_meet_the_conditions_of_the_wait(world: World) -> None:
    where = "where: ['event.payload.to_stage == \"Won\"', 'event.actor != trigger.actor']"
    world.play(playbook(f"  - {{do: wait_for_event, event: deal.stage_changed, within: 4h, {where}}}"))
    world.say(actor="ana@vendor.example")
    world.settle()
    for stage, actor in (("Lost", "bo@vendor.example"), ("Won", "ana@vendor.example")):
        world.say("deal.stage_changed", {"to_stage": stage}, actor=actor)
    world.settle()
    assert world.states() == ["waiting"]
    world.say("deal.stage_changed", {"to_stage": "Won"}, actor="bo@vendor.example")
    world.settle()
    assert world.states() == ["completed"]


LATE = "on_timeout: [{do: create_task, title: Late}, {do: stop}]"
CALL = f"  - {{do: wait_for_event, event: call.completed, within: 1h, {LATE}}}\n" + NOTE


def outcome(world: World) -> str:
    """Return how the only run ended: called, or late."""
    assert world.states() == ["completed"]
    return "late" if world.types()["task.created"] else "called"


@pytest.mark.parametrize("begun", [True, False])
@pytest.mark.parametrize(
    ("minutes", "expected"), [(30, "called"), (59, "called"), (61, "late"), (300, "late")]
)
def test_an_event_counts_that_happened_in_time_however_late_the_workers_are(
    world: World, begun: bool, minutes: int, expected: str
) -> None:
    """Whether the run waited already as the workers stopped, or had only been started."""
    world.play(playbook(CALL))
    world.say()
    if begun:
        world.settle()
    else:
        world.follow()
    stopped = timedelta(hours=7)
    world.admin.execute(
        "update playbook.run set since = since - %s, due_at = due_at - %s", (stopped, stopped)
    )
    world.say("call.completed", {}, occurred_at=datetime.now(UTC) - stopped + timedelta(minutes=minutes))
    world.settle()
    assert outcome(world) == expected


@pytest.mark.parametrize("between", [3, 25])
def test_nothing_is_missed_however_many_events_lie_between(
    world: World, between: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "_PAGE", 10)
    world.play(
        playbook(
            CALL.replace("event: call.completed", "event: '*', where: ['event.type == \"call.completed\"']")
        )
    )
    world.say()
    world.follow()
    for _ in range(between):
        world.say("note.added", {"text": "x"})
    world.say("call.completed", {})
    world.settle()
    assert outcome(world) == "called"


def test_a_pattern_looks_back_on_every_type_it_holds_and_no_other(world: World) -> None:
    world.play(playbook(CALL.replace("call.completed", "acme.call_.*")))
    world.say()
    world.follow()
    for type in ("acme.callx.made", "acme.call_"):
        world.say(type, {})
    world.settle()
    assert world.states() == ["waiting"]
    world.say("acme.call_.made", {})
    world.settle()
    assert outcome(world) == "called"


@pytest.mark.parametrize(
    ("before", "event"),
    [
        ("", "'*'"),
        ("  - {do: change_stage, to: Won}\n", "'deal.*'"),
        ("  - {do: add_note, text: x}\n", "note.added"),
        ("  - {do: create_task, title: x}\n", "[task.*, playbook.*]"),
        ("  - {do: update_field, record: account, field: a, value: b}\n", "account.updated"),
        ("  - {do: detect_signal, signal: x}\n", "signal.detected"),
        ("  - {do: enroll, sequence: Cold}\n", "'sequence.*'"),
    ],
)
def test_a_run_is_not_woken_by_what_it_did_itself(world: World, before: str, event: str) -> None:
    world.add_sequence("Cold")
    wait = f"  - {{do: wait_for_event, event: {event}, within: 4h, about: account}}\n"
    world.play(playbook(before + wait, trigger="event: acme.asked"))
    world.say("acme.asked", {}, contact_id="jo", record_type="opportunity", record_id="deal")
    world.settle()
    assert world.states() == ["waiting"]


def test_a_wait_that_is_skipped_is_over_as_if_nothing_had_come(world: World) -> None:
    world.play(playbook(CALL))
    world.say()
    world.settle()
    with begin("producer", world.tenant) as session:
        operate.act(session, world.tenant, 1, "skip", "ana@vendor.example")
    world.settle()
    assert outcome(world) == "late"


def test_a_run_that_is_retried_waits_from_then_on(world: World) -> None:
    world.play(playbook(CALL))
    world.say()
    world.settle()
    for what in ("pause", "retry"):
        world.admin.execute("update playbook.run set since = since - interval '2 hours'")
        with begin("producer", world.tenant) as session:
            operate.act(session, world.tenant, 1, what, "ana@vendor.example")
    world.settle()
    world.say("call.completed", {})
    world.settle()
    assert outcome(world) == "called"
