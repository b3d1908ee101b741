"""What playbooks hand out can be read and done: tasks and notices, by API and command."""

import json
from collections.abc import Callable

import httpx
from typer.testing import CliRunner, Result

from cli.main import app
from tests.plays import World, playbook

Send = Callable[..., httpx.Response]
TASK = "  - {do: create_task, title: 'Call {{ account.name }}', due_in: 1h}\n"
NOTICE = "  - {do: notify, to: ana@example.com, message: 'Call {{ account.name }} now'}\n"


def activity(*arguments: object) -> Result:
    return CliRunner().invoke(app, list(map(str, arguments)))


def handed_out(world: World, steps: str = TASK + NOTICE) -> None:
    """Let a playbook hand out a task and a notice."""
    world.play(playbook(steps))
    world.say(contact_id="jo")
    world.settle()


def test_a_task_is_listed_given_to_somebody_and_done_with_events_of_who_did_it(
    world: World, send: Send
) -> None:
    handed_out(world)
    (task,) = send("GET", "/v1/tasks?assignee=ana@vendor.example").json()["tasks"]
    assert (task["title"], task["contact_id"], task["done_at"]) == ("Call Acme", "jo", None)
    address = f"/v1/tasks/{task['id']}"
    assert send("POST", f"{address}/assign", {"assignee": "bo@vendor.example"}).status_code == 200
    assert send("GET", "/v1/tasks?assignee=ana@vendor.example").json()["tasks"] == []
    assert send("POST", f"{address}/complete", {"outcome": "agreed"}).json() == {"state": "done"}
    assert send("POST", f"{address}/complete", {}).status_code == 404
    assert send("GET", "/v1/tasks").json()["tasks"] == []
    (done,) = send("GET", "/v1/tasks?done=true").json()["tasks"]
    assert (done["done_by"], done["assignee"]) == ("ana@example.com", "bo@vendor.example")
    world.settle()
    told = """select type, actor, contact_id, payload->>'outcome' from activity.event
               where type = any(%s) order by seq"""
    assert world.sql(told, ["task.reassigned", "task.completed"]) == [
        ("task.reassigned", "ana@example.com", "jo", None),
        ("task.completed", "ana@example.com", "jo", "agreed"),
    ]


def test_an_event_by_which_another_producer_tells_that_a_task_was_done_is_followed(world: World) -> None:
    handed_out(world)
    for id in ("x", "99999999999999999999", "12345", "1"):
        about = {"record_type": "task", "record_id": id, "actor": "bo@vendor.example"}
        world.say("task.completed", {"title": "Call Acme"}, **about)
    world.settle()
    assert world.sql("select done_by from playbook.task") == [("bo@vendor.example",)]


def test_a_run_waits_for_its_task_to_be_done(world: World, send: Send) -> None:
    handed_out(world, TASK + "  - {do: wait_for_event, event: task.completed, within: 1d}\n")
    assert world.states() == ["waiting"]
    (task,) = send("GET", "/v1/tasks").json()["tasks"]
    send("POST", f"/v1/tasks/{task['id']}/complete", {})
    world.settle()
    assert world.states() == ["completed"]


def test_a_notice_is_listed_read_and_in_the_timeline(world: World, send: Send) -> None:
    handed_out(world)
    (notice,) = send("GET", "/v1/notices?recipient=ana@example.com&unread=true").json()["notices"]
    assert (notice["message"], notice["times"]) == ("Call Acme now", 1)
    assert send("POST", "/v1/notices/read", {"up_to": notice["id"]}).json() == {"read": 1}
    assert send("GET", "/v1/notices?unread=true").json()["notices"] == []
    assert len(send("GET", "/v1/notices").json()["notices"]) == 1
    ((reason,),) = world.sql(
        "select payload->>'reason' from activity.event where payload->>'action' = 'notify'"
    )
    assert reason == "notified ana@example.com: Call Acme now"


def test_who_saved_a_playbook_is_told_of_its_failed_runs_in_one_notice(world: World) -> None:
    world.play(playbook("  - {do: change_stage, to: Won}\n"))
    for _ in range(3):
        world.say()
    world.settle()
    assert world.states() == ["failed"] * 3
    assert world.sql("select recipient, message, times from playbook.notice") == [
        ("ana@vendor.example", "Play: run 3 failed: the run is about no opportunity", 3)
    ]


def test_who_saved_a_playbook_is_told_that_a_guard_paused_it(world: World) -> None:
    world.play(
        playbook(
            "  - {do: update_field, record: account, field: x, value: '{{ string(now) }}'}\n",
            trigger="event: account.updated",
        )
    )
    world.say("account.updated", {"changes": [{"field": "x", "to": "y"}]})
    world.settle()
    ((recipient, message),) = world.sql("select recipient, message from playbook.notice")
    assert recipient == "ana@vendor.example"
    assert message.startswith("Play is paused: breaker: ")


def test_tasks_and_notices_are_worked_off_with_the_command(world: World) -> None:
    handed_out(world)
    task = json.loads(activity("task", "list", "--json").stdout)
    assert task["title"] == "Call Acme"
    assert "Call Acme" in activity("task", "list", "--for", "ana@vendor.example").output
    assert activity("task", "assign", task["id"], "bo@vendor.example").exit_code == 0
    done = activity("task", "done", task["id"], "--outcome", "agreed", "--actor", "bo@vendor.example")
    assert done.output == f"task {task['id']}: done\n"
    assert activity("task", "done", task["id"]).exit_code == 2
    assert "by bo@vendor.example  Call Acme" in activity("task", "list", "--done").output
    listed = activity("notice", "list", "--for", "ana@example.com", "--unread").output
    assert "Call Acme now" in listed
    assert activity("notice", "read", "ana@example.com", listed.split()[0]).output == "1 read\n"
    assert activity("notice", "list", "--unread").output == ""
