"""What starts promise: at a playbook's own pace, and held where its playbook is paused before they begin."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from activity.settings import settings
from cli import imports
from db.engine import begin
from producers.playbooks import operate
from producers.playbooks.dry_run import outlook
from tests.plays import World, playbook

NOTE = "  - {do: add_note, text: 'about {{ account.name }}'}"
BY = "ana@vendor.example"


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Five starts a minute."""
    monkeypatch.setenv("ACTIVITY_PLAYBOOK_STARTS_PER_MINUTE", "5")
    settings.cache_clear()


def test_the_cooldown_holds_whatever_the_order_of_arrival(world: World) -> None:
    head, trigger = "once_per: account\ncooldown: 7d", "{event: signal.detected, max_age: any}"
    world.play(f"name: Play\ntrigger: {trigger}\n{head}\nsteps:\n{NOTE}\n")
    now = datetime.now(UTC)
    for days in (-30, 0, -30, 0, -30, 40, -3):
        world.say(occurred_at=now + timedelta(days=days))
        world.settle()
    assert len(world.states()) == 2


@pytest.mark.usefixtures("slow")
def test_a_playbook_with_many_starts_delays_no_other(world: World) -> None:
    many = world.play(playbook(NOTE, name="Many"))
    world.play(playbook(NOTE, name="Urgent", trigger="event: call.completed"))
    for _ in range(20):
        world.say()
    world.say("call.completed", {})
    world.settle()
    waiting = world.sql("select distinct playbook_id from playbook.run where state = 'running'")
    assert waiting == [(many,)]
    assert Counter(world.states()) == {"completed": 6, "running": 15}


@pytest.mark.usefixtures("slow")
def test_a_pause_holds_what_has_not_begun_until_it_is_enabled_again(world: World) -> None:
    world.play(playbook("  - {do: wait, for: 1d}\n" + NOTE))
    for _ in range(8):
        world.say()
    world.settle()
    assert Counter(world.states()) == {"waiting": 5, "running": 3}
    with begin("producer", world.tenant) as session:
        operate.pause(session, world.tenant, "Play", BY)
    world.pass_time()
    world.settle()
    assert Counter(world.states()) == {"completed": 5, "held": 3}
    assert outlook(world.tenant, "Play").startswith("3 runs that its pause held begin; of the last ")
    with begin("producer", world.tenant) as session:
        operate.enable(session, world.tenant, "Play", BY)
    for _ in range(2):
        world.pass_time()
        world.settle()
    assert Counter(world.states()) == {"completed": 8}


@pytest.mark.usefixtures("slow")
def test_every_run_of_a_playbook_that_is_held_is_cancelled_at_once(world: World) -> None:
    world.play(playbook("  - {do: wait, for: 1d}\n" + NOTE))
    for _ in range(8):
        world.say()
    world.settle()
    with begin("producer", world.tenant) as session:
        operate.pause(session, world.tenant, "Play", BY)
    assert operate.act_on_all(world.tenant, "Play", "held", "cancel", BY, "an import") == 3
    assert Counter(world.states()) == {"waiting": 5, "cancelled": 3}
    assert operate.act_on_all(world.tenant, "Play", None, "cancel", BY) == 5
    assert operate.act_on_all(world.tenant, "Play", None, "retry", BY) == 0


def test_an_import_names_the_playbooks_that_it_may_start(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.play(playbook(NOTE, name="Recent"))
    world.play(playbook(NOTE, name="History", trigger="event: deal.*\n  max_age: any"))
    world.play(playbook(NOTE, name="By hand", trigger="manual: true"))
    imports._announce(world.tenant)
    assert capsys.readouterr().err.splitlines() == [
        "activity: imported events of any age may start the playbook History",
        "activity: imported events of the last 7d may start the playbook Recent",
    ]


def test_the_outlook_of_a_schedule_counts_the_records_that_meet_it(world: World) -> None:
    trigger = "{schedule: '0 8 * * *', for_each: account}"
    head = "conditions: ['account.fields.tier == \"gold\"']"
    world.play(f"name: Play\ntrigger: {trigger}\n{head}\nsteps:\n{NOTE}\n")
    assert outlook(world.tenant, "Play").startswith("as records are now, 1 would start at ")
