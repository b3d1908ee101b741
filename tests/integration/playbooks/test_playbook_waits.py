"""What waits promise: none is missed, none is met by what does not meet its conditions."""

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
