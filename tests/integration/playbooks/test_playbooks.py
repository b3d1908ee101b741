"""What playbooks promise: plays start once, move on exactly once, wait by index, and can't run away."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec
import psycopg
import pytest

from db.engine import begin
from db.playbooks import runs
from producers.playbooks import operate
from producers.playbooks.start import handle
from producers.playbooks.tasks import FOLLOWER
from tests.plays import World, playbook
from worker.append import append_batch
from worker.follow import follow_once

NOTE = "  - {do: add_note, text: 'about {{ account.name }}'}"


def test_an_event_starts_a_play_that_runs_to_its_end_and_says_so(world: World) -> None:
    world.play(playbook("  - {do: create_task, title: 'Call {{ account.name }}', due_in: 1h}\n" + NOTE))
    world.say()
    world.settle()
    assert world.states() == ["completed"]
    assert world.sql("select title, assignee from playbook.task") == [("Call Acme", "ana@vendor.example")]
    assert world.types() == {
        "signal.detected": 1,
        "playbook.started": 1,
        "task.created": 1,
        "note.added": 1,
        "playbook.step_completed": 2,
        "playbook.completed": 1,
    }


def test_the_chain_of_causes_can_be_walked_from_the_signal_to_the_effect(world: World) -> None:
    world.play(playbook(NOTE))
    signal = world.say()
    world.settle()
    ((started,),) = world.sql("select event_id from activity.event where cause_id = %s", signal)
    effects = world.sql("select type from activity.event where cause_id = %s order by seq", started)
    assert effects == [("note.added",), ("playbook.step_completed",), ("playbook.completed",)]


def test_events_recorded_before_a_playbook_is_enabled_start_nothing(world: World) -> None:
    world.say()
    world.settle()
    world.play(playbook(NOTE))
    world.settle()
    assert world.states() == []


@pytest.mark.parametrize(
    ("condition", "starts"),
    [
        ('event.payload.signal == "pricing_page_visited"', 1),
        ('event.payload.signal == "other"', 0),
        ('account.fields.tier == "gold" && account.owner_email != ""', 1),
        ('contact.id == ""', 1),
        ('opportunity.stage == "Proposal"', 0),
        ("event.payload.visits > 3", 0),
    ],
)
def test_a_play_starts_where_its_conditions_hold(world: World, condition: str, starts: int) -> None:
    world.play(playbook(NOTE, head=f"conditions: ['{condition}']"))
    world.say()
    world.settle()
    assert len(world.states()) == starts


def test_a_play_starts_once_for_an_account_and_again_after_its_cooldown(world: World) -> None:
    old = "event: signal.detected\n  max_age: any"
    world.play(playbook(NOTE, "once_per: account", old, "Once"))
    world.play(playbook(NOTE, "once_per: account\ncooldown: 1d", old, "Daily"))
    for day in ("01", "01", "02", "03"):
        world.say(occurred_at=msgspec.convert(f"2026-03-{day}T12:00:00Z", type=datetime))
        world.settle()
    started = world.sql(
        "select p.name, count(*) from playbook.run r join playbook.playbook p on p.id = r.playbook_id group "
        "by 1 order by 1"
    )
    assert started == [("Daily", 3), ("Once", 1)]


def test_a_pattern_starts_for_every_type_it_holds_and_for_no_other(world: World) -> None:
    world.play(playbook("  - {do: create_task, title: x}", trigger="event: [deal.*, acme.*]"))
    for type, payload in (("deal.won", {}), ("acme.form.filled", {}), ("note.added", {"text": "x"})):
        world.say(type, payload)
    world.settle()
    assert len(world.states()) == 2


def test_a_branch_takes_one_way(world: World) -> None:
    ways = "then: [{do: create_task, title: Gold}], else: [{do: create_task, title: Other}]"
    world.play(playbook(f"  - {{do: branch, if: 'account.fields.tier == \"gold\"', {ways}}}\n" + NOTE))
    world.say()
    world.settle()
    assert world.sql("select title from playbook.task") == [("Gold",)]
    assert world.types()["note.added"] == 1


def test_steps_change_records_and_say_what_changed(world: World) -> None:
    steps = """
  - {do: update_field, record: account, field: health, value: at risk}
  - {do: update_field, record: account, field: owner_email, value: bo@vendor.example}
  - {do: change_stage, to: Won}
  - {do: detect_signal, signal: renewed}
"""
    world.play(playbook(steps, trigger="event: deal.amount_changed"))
    world.say("deal.amount_changed", {"to_amount": "10"}, record_type="opportunity", record_id="deal")
    world.settle()
    assert world.states() == ["completed"]
    assert world.sql("select owner_email, fields from crm.account") == [
        ("bo@vendor.example", {"tier": "gold", "health": "at risk"})
    ]
    assert world.sql(
        "select payload->>'from_stage', record_id from activity.event where type = 'deal.won'"
    ) == [("Proposal", "deal")]
    changes = world.sql(
        "select payload->'changes' from activity.event where type = 'account.updated' order by seq"
    )
    assert changes[0][0] == [{"field": "health", "to": "at risk"}]
    assert world.types()["signal.detected"] == 1


def test_a_round_robin_takes_turns_and_a_manager_is_found(world: World) -> None:
    members = "[a@vendor.example, b@vendor.example]"
    steps = f"""\
  - {{do: create_task, title: x, assign_to: round_robin, members: {members}}}
  - {{do: notify, to: manager, message: hello}}"""
    world.play(playbook(steps))
    for _ in range(3):
        world.say()
        world.settle()
    assert [name for (name,) in world.sql("select assignee from playbook.task order by id")] == [
        f"{n}@vendor.example" for n in "aba"
    ]
    assert world.sql("select distinct recipient from playbook.notice") == [("bo@vendor.example",)]


def test_a_step_that_cannot_be_done_fails_the_run_until_an_operator_retries(world: World) -> None:
    world.play(playbook(NOTE + "\n  - {do: change_stage, to: Won}\n" + NOTE))
    world.say()
    world.settle()
    assert world.states() == ["failed"]
    assert world.types()["note.added"] == 1
    ((run, reason),) = world.sql("select id, reason from playbook.run")
    assert reason == "the run is about no opportunity"
    with begin("producer", world.tenant) as session:
        operate.act(session, world.tenant, run, "skip", "ana@vendor.example", "no deal yet")
    world.settle()
    assert world.states() == ["completed"]
    assert world.types()["note.added"] == 2
    assert world.sql("select act, actor, reason from playbook.act where run_id is not null") == [
        ("skip", "ana@vendor.example", "no deal yet")
    ]


def test_a_paused_run_stands_still_until_it_is_retried_and_a_cancelled_one_for_good(world: World) -> None:
    world.play(playbook("  - {do: wait_for_event, event: call.completed, within: 4h}\n" + NOTE))
    world.say()
    world.settle()
    ((run,),) = world.sql("select id from playbook.run")

    def act(what: operate.Act) -> str:
        with begin("producer", world.tenant) as session:
            return operate.act(session, world.tenant, run, what, "ana@vendor.example")

    assert act("pause") == "paused"
    world.say("note.added", {"text": "x"})
    world.settle()
    assert world.states() == ["paused"]
    act("retry")
    world.settle()
    assert world.states() == ["waiting"]
    assert act("cancel") == "cancelled"
    world.say("call.completed", {})
    world.settle()
    assert world.states() == ["cancelled"]
    with pytest.raises(operate.InvalidRunState, match="retry needs one that is failed or paused"):
        act("retry")
    assert {"playbook.paused", "playbook.cancelled"} <= world.types().keys()


def test_a_run_keeps_the_version_it_started_with(world: World) -> None:
    world.play(playbook("  - {do: wait, for: 1h}\n  - {do: create_task, title: Old}"))
    world.say()
    world.settle()
    world.play(playbook("  - {do: create_task, title: New}"))
    world.say()
    world.settle()
    world.pass_time()
    world.settle()
    assert world.sql("select title from playbook.task order by id") == [("New",), ("Old",)]


def test_a_playbook_that_starts_itself_is_paused_with_the_reason(world: World) -> None:
    world.play(playbook("  - {do: detect_signal, signal: again}"))
    world.say()
    world.settle()
    assert world.states() == ["completed"] * 3 + ["refused"]
    ((state, reason),) = world.sql("select state, reason from playbook.playbook")
    assert (state, reason) == ("paused", "breaker: the playbook is 3 times among the causes of its own start")
    assert world.types()["playbook.paused"] == 1


def test_playbooks_that_start_one_another_come_to_an_end(world: World) -> None:
    for n in range(12):
        world.play(
            playbook(
                f"  - {{do: detect_signal, signal: s{n + 1}}}",
                head=f"conditions: ['event.payload.signal == \"s{n}\"']",
                name=f"P{n}",
            )
        )
    world.say(payload={"signal": "s0"})
    world.settle()
    assert world.states() == ["completed"] * 8 + ["refused"]
    assert world.sql("select reason from playbook.run where state = 'refused'") == [
        ("depth limit: 8 playbooks started one another",)
    ]


def test_starts_beyond_the_rate_limit_begin_later_and_none_is_lost(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from activity.settings import settings

    monkeypatch.setenv("ACTIVITY_PLAYBOOK_STARTS_PER_MINUTE", "5")
    settings.cache_clear()
    world.play(playbook(NOTE))
    for _ in range(8):
        world.say()
    world.settle()
    assert Counter(world.states()) == {"completed": 5, "running": 3}
    apart = world.sql(
        "select extract(epoch from max(due_at) - min(due_at))::int from playbook.run where state = 'running'"
    )
    assert apart == [(24,)]
    world.pass_time()
    world.settle()
    assert Counter(world.states()) == {"completed": 8}


def test_a_contact_is_enrolled_by_a_playbook_only_where_there_is_one(world: World) -> None:
    world.play(playbook("  - {do: enroll, sequence: None such}"))
    world.say(contact_id="jo")
    world.settle()
    assert world.sql("select state, reason from playbook.run") == [
        ("failed", "no sequence 'None such': `activity sequence list` shows those there are")
    ]


def test_a_playbook_enrolls_a_contact_and_ends_what_it_enrolled(world: World) -> None:
    world.add_sequence("Renewals")
    world.play(playbook("  - {do: enroll, sequence: Renewals}", trigger="event: signal.detected", name="In"))
    world.play(
        playbook("  - {do: unenroll, reason: they called}", trigger="event: call.completed", name="Out")
    )
    for _ in range(2):
        world.say(contact_id="jo")
        world.settle()
    assert world.sql("select contact_id, state from crm.enrolment") == [("jo", "active")]
    world.say("call.completed", {}, contact_id="jo")
    world.settle()
    assert world.states() == ["completed"] * 3
    assert world.sql("select state, reason from crm.enrolment") == [("finished", "they called")]
    said = """select e.type, c.type from activity.event e join activity.event c on c.event_id = e.cause_id
               where e.source = 'sequence' order by e.seq"""
    assert world.sql(said) == [
        ("sequence.enrolled", "playbook.started"),
        ("sequence.finished", "playbook.started"),
    ]


def test_a_late_holder_of_a_run_changes_nothing(world: World) -> None:
    from db.claim import claim
    from db.engine import EVERY_TENANT
    from producers.playbooks.advance import advance

    world.play(playbook(NOTE))
    world.say()
    append_batch(10)
    follow_once(FOLLOWER, handle)
    with begin("producer", EVERY_TENANT) as session:
        (late,) = claim(session, runs.RUNS, 10)
    world.pass_time()
    with begin("producer", EVERY_TENANT) as session:
        (held,) = claim(session, runs.RUNS, 10)
    assert advance(late) == "lost"
    assert advance(held) == "completed"
    world.settle()
    assert world.types()["note.added"] == 1


def test_a_tenants_plays_are_its_own(admin: psycopg.Connection[Any], make_tenant: Callable[[], int]) -> None:
    one, two = World(admin, make_tenant()), World(admin, make_tenant())
    one.play(playbook(NOTE))
    two.say()
    two.settle()
    assert one.states() == []


def test_what_runs_keep_of_an_erased_person_is_forgotten(world: World) -> None:
    world.play(
        playbook(
            "  - {do: create_task, title: 'Ask {{ contact.name }}'}\n  - {do: wait_for_event, event: "
            "email.replied, within: 3d}\n" + NOTE
        )
    )
    world.say(payload={"signal": "x", "name": "Jo Park is leaving"}, contact_id="jo")
    world.settle()
    world.say("contact.erased", {}, contact_id="jo")
    world.settle()
    kept = world.sql(
        "select r.trigger::text || t.title from playbook.run r join playbook.task t on t.run_id = r.id"
    )
    assert "Jo Park" not in kept[0][0]
    assert world.states() == ["cancelled"]


def test_an_event_that_comes_while_a_run_begins_to_wait_is_not_missed(world: World) -> None:
    """The run looks back, the event is recorded and followed, then the run's transaction commits."""
    import threading

    from db.claim import claim
    from db.engine import EVERY_TENANT
    from producers.playbooks import advance as engine

    world.play(playbook("  - {do: wait_for_event, event: call.completed, within: 4h}"))
    world.say()
    append_batch(10)
    follow_once(FOLLOWER, handle)
    with begin("producer", EVERY_TENANT) as session:
        (row,) = claim(session, runs.RUNS, 10)
    with begin("producer", world.tenant) as session:
        assert engine._Advance(session, row, None).go() == "waiting"
        world.say("call.completed", {})
        append_batch(10)
        follower = threading.Thread(target=lambda: follow_once(FOLLOWER, handle))
        follower.start()
        waits = "select count(*) from pg_locks where locktype = 'advisory' and not granted"
        while follower.is_alive() and world.sql(waits) == [(0,)]:
            pass
    follower.join()
    world.settle()
    assert world.states() == ["completed"]
