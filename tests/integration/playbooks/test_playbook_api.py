"""What the API promises of playbooks and runs."""

from collections.abc import Callable
from typing import Any

import httpx
import psycopg
import pytest

from tests.plays import World, playbook

Send = Callable[..., httpx.Response]


@pytest.fixture
def world(admin: psycopg.Connection[Any], tenant: int) -> World:
    """A workspace with one playbook that waits."""
    made = World(admin, tenant)
    made.play(
        playbook("  - {do: wait_for_event, event: call.completed, within: 4h}\n  - {do: add_note, text: x}")
    )
    return made


def test_playbooks_and_runs_are_listed_and_a_run_is_acted_on(world: World, send: Send) -> None:
    (listed,) = send("GET", "/v1/playbooks").json()["playbooks"]
    assert (listed["name"], listed["version"], listed["state"]) == ("Play", 1, "enabled")
    trigger = world.say()
    world.settle()
    (run,) = send("GET", f"/v1/playbook-runs?playbook={listed['id']}&state=waiting").json()["runs"]
    assert (run["state"], run["account_id"], run["trigger_id"]) == ("waiting", "acme", str(trigger))
    answer = send("POST", f"/v1/playbook-runs/{run['id']}/cancel", {"reason": "merged"})
    assert (answer.status_code, answer.json()) == (200, {"state": "cancelled"})
    assert send("POST", f"/v1/playbook-runs/{run['id']}/retry", {}).status_code == 409
    assert send("POST", "/v1/playbook-runs/999999/retry", {}).status_code == 404
    world.settle()
    assert world.sql(
        "select actor, payload->>'reason' from activity.event where type = 'playbook.cancelled'"
    ) == [("ana@example.com", "merged")]


def test_a_playbook_is_paused_enabled_and_started_by_hand(world: World, send: Send) -> None:
    (listed,) = send("GET", "/v1/playbooks").json()["playbooks"]
    address = f"/v1/playbooks/{listed['id']}"
    assert send("POST", f"{address}/pause", {"reason": "too many"}).json() == {"state": "paused"}
    world.say()
    world.settle()
    assert world.states() == []
    assert send("POST", f"{address}/enable").json() == {"state": "enabled"}
    assert send("POST", f"{address}/start", {"kind": "account", "id": "acme"}).json() == {"state": "started"}
    assert send("POST", f"{address}/start", {"kind": "account", "id": "none"}).status_code == 404
    assert send("POST", "/v1/playbooks/999999/enable").status_code == 404
    world.settle()
    assert world.states() == ["waiting"]


def test_a_definition_is_read_back_with_its_versions_and_who_did_what(world: World, send: Send) -> None:
    (listed,) = send("GET", "/v1/playbooks").json()["playbooks"]
    address = f"/v1/playbooks/{listed['id']}"
    world.play(playbook("  - {do: add_note, text: other}"))
    world.say()
    world.settle()
    (run,) = send("GET", "/v1/playbook-runs").json()["runs"]
    assert send("POST", f"{address}/runs/retry", {"reason": "again"}).json() == {"runs": 0}
    send("POST", f"{address}/pause", {"reason": "too many"})
    read = send("GET", address).json()
    assert (read["name"], read["version"], read["state"]) == ("Play", 2, "paused")
    assert "text: other" in read["definition"]
    assert [(one["version"], one["saved_by"]) for one in read["versions"]] == [
        (2, "ana@vendor.example"),
        (1, "ana@vendor.example"),
    ]
    assert (read["acts"][0]["act"], read["acts"][0]["reason"]) == ("pause", "too many")
    assert run["version"] == 2
    assert "wait_for_event" in send("GET", f"{address}?version=1").json()["definition"]
    assert send("GET", f"{address}?version=3").status_code == 404
    assert send("GET", "/v1/playbooks/999999").status_code == 404


def test_what_people_do_to_a_playbook_is_recorded_with_who_did_it(world: World, send: Send) -> None:
    (listed,) = send("GET", "/v1/playbooks").json()["playbooks"]
    address = f"/v1/playbooks/{listed['id']}"
    send("POST", f"{address}/pause", {"reason": "too many"})
    send("POST", f"{address}/enable")
    send("POST", f"{address}/start", {"kind": "account", "id": "acme"})
    world.settle()
    assert world.sql(
        "select act, reason from playbook.act where playbook_id is not null and actor = %s order by id",
        "ana@example.com",
    ) == [("pause", "too many"), ("enable", None), ("start", None)]
    assert world.sql(
        "select actor, payload->>'trigger' from activity.event where type = 'playbook.started'"
    ) == [("ana@example.com", "manual")]
    (shown,) = send("GET", "/v1/events?type=playbook.started").json()["data"]
    assert "by hand" in str(shown["summary"])


def test_another_workspaces_runs_are_not_found(
    world: World, send: Send, make_tenant: Callable[[], int]
) -> None:
    other = World(world.admin, make_tenant())
    id = other.play(playbook("  - {do: wait, for: 1h}", name="Other"))
    other.say()
    other.settle()
    ((run,),) = other.sql("select id from playbook.run where tenant_id = %s", other.tenant)
    assert send("GET", "/v1/playbook-runs").json()["runs"] == []
    assert send("POST", f"/v1/playbook-runs/{run}/cancel", {}).status_code == 404
    assert send("POST", f"/v1/playbooks/{id}/pause", {}).status_code == 404
