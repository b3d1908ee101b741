"""How runs end that cannot go on: a value that is refused, a step that raises, a record that is gone."""

from itertools import permutations
from typing import Any

import pytest
from psycopg import sql

from producers.playbooks import advance as engine
from tests.plays import World, playbook

NOTE = "  - {do: add_note, text: 'about {{ account.name }}'}"
WAIT = "  - {do: wait, for: 1d}\n"
TASK = "  - {do: create_task, title: 'Write to {{ contact.name }}'}"


@pytest.mark.parametrize(
    ("record", "field", "value"),
    [
        ("opportunity", "amount", "'12,50'"),
        ("opportunity", "amount", "'1e400'"),
        ("opportunity", "amount", "true"),
        ("opportunity", "currency", "euros"),
        ("account", "name", "'{{ \"" + "x" * 60 + "\" + trigger.payload.name }}'"),
        ("account", "domain", "'" + "x" * 2_000 + "'"),
        ("account", "owner_email", "'" + "x" * 2_000 + "'"),
        ("contact", "email", "'" + "x" * 2_000 + "'"),
        ("account", "health", "'{{ trigger.payload.name }}'"),
    ],
)
def test_a_value_that_is_refused_fails_the_step_with_its_reason_or_is_stored(
    world: World, record: str, field: str, value: str
) -> None:
    """Whatever the value: the run is over at once, and never claimed again and again."""
    step = f"  - {{do: update_field, record: {record}, field: {field}, value: {value}}}"
    world.play(playbook(step, trigger="event: acme.*"))
    about = {"contact_id": "jo", "record_type": "opportunity", "record_id": "deal"}
    world.say("acme.scored", {"name": "y" * 5_000}, **about)
    world.settle()
    ((state, reason, due),) = world.sql("select state, reason, due_at from playbook.run")
    assert due is None
    assert state == "completed" or (state == "failed" and reason)
    if field == "amount":
        assert state == "failed"


def test_a_computed_number_is_stored_as_a_number_that_conditions_compare(world: World) -> None:
    steps = """
  - {do: update_field, record: account, field: score, value: '{{ trigger.payload.score }}'}
  - {do: update_field, record: opportunity, field: amount, value: '{{ 12.5 * 2.0 }}'}
  - {do: branch, if: 'account.fields.score > 50', then: [{do: create_task, title: High}]}
"""
    world.play(playbook(steps, trigger="event: acme.scored"))
    world.say("acme.scored", {"score": 87}, record_type="opportunity", record_id="deal")
    world.settle()
    assert world.sql("select state, reason from playbook.run") == [("completed", None)]
    assert world.sql("select title from playbook.task") == [("High",)]
    assert world.sql("select fields->'score' from crm.account") == [(87,)]
    assert world.sql("select amount::int from crm.opportunity") == [(25,)]


def test_a_step_that_raises_fails_with_what_it_raised(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> str:
        raise OverflowError("too far\x00 away\ud800")

    monkeypatch.setattr(engine, "carry_out", broken)
    world.play(playbook(NOTE))
    world.say()
    world.settle()
    ((state, reason),) = world.sql("select state, reason from playbook.run")
    assert (state, reason) == ("failed", "the step raised OverflowError: too far  away ")


def test_a_send_that_raises_fails_with_what_it_raised(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> str:
        raise UnicodeError("no such host")

    monkeypatch.setattr(engine, "prepare", lambda _: broken)
    world.play(playbook("  - {do: call_webhook, url: 'https://hook.example/'}"))
    world.say()
    world.settle()
    assert world.sql("select state, reason from playbook.run") == [
        ("failed", "the step raised UnicodeError: no such host")
    ]


def test_runs_about_an_erased_person_end_at_once_whatever_they_wait_for(world: World) -> None:
    event = "  - {do: wait_for_event, event: call.completed, within: 3d}\n"
    for at, first in enumerate((WAIT, event, "  - {do: change_stage, to: Won}\n")):
        world.play(playbook(first + TASK, name=f"Play {at}"))
    world.say(contact_id="jo")
    world.settle()
    assert world.states() == ["waiting", "waiting", "failed"]
    world.say("contact.erased", {}, contact_id="jo", actor="eve@vendor.example")
    world.settle()
    assert world.states() == ["cancelled"] * 3
    assert world.sql("select count(*) from playbook.wait") == [(0,)]
    assert set(
        world.sql("select actor, payload->>'reason' from activity.event where type = 'playbook.cancelled'")
    ) == {("eve@vendor.example", "the contact was erased")}


@pytest.mark.parametrize("kind", ["contact", "account", "opportunity"])
@pytest.mark.parametrize("step", [TASK, "  - {do: call_webhook, url: 'https://hook.example/'}"])
def test_nothing_is_done_for_a_record_that_is_gone(
    world: World, kind: str, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing leaves either: the record is looked for before a step is prepared."""
    sent: list[object] = []
    monkeypatch.setattr(engine, "prepare", sent.append)
    world.play(playbook(WAIT + step))
    world.say(contact_id="jo", record_type="opportunity", record_id="deal")
    world.settle()
    world.admin.execute(sql.SQL("delete from crm.{}").format(sql.Identifier(kind)))
    world.pass_time()
    world.settle()
    assert world.sql("select state, reason from playbook.run") == [
        ("cancelled", f"the {kind} is gone: erased or deleted")
    ]
    assert sent == []
    assert world.sql("select count(*) from playbook.task") == [(0,)]


def test_a_run_about_a_record_that_only_the_crm_knows_goes_on(world: World) -> None:
    world.play(playbook(WAIT + TASK))
    world.say(account_id="elsewhere", contact_id="unknown")
    world.settle()
    world.pass_time()
    world.settle()
    assert world.states() == ["completed"]


ONCE = "once_per: contact"
REPLY = "  - {do: wait_for_event, event: email.replied, within: 3d}\n"


def merge(world: World, merged: str = "jo", into: str = "jo2") -> None:
    world.say("contact.merged", {"merged_id": merged}, contact_id=into)


def test_what_is_under_way_about_a_merged_contact_is_about_the_one_that_stays(world: World) -> None:
    world.play(playbook("  - {do: create_task, title: Call}\n" + REPLY + TASK, ONCE))
    world.say(contact_id="jo")
    merge(world)
    world.say(contact_id="jo2")
    world.say("email.replied", {}, contact_id="jo2")
    world.settle()
    assert world.sql("select state, contact_id from playbook.run") == [("completed", "jo2")]
    assert set(world.sql("select contact_id from playbook.task")) == {("jo2",)}


def test_an_event_about_the_merged_contact_before_the_merge_is_heard(world: World) -> None:
    world.play(playbook(REPLY + TASK))
    world.say(contact_id="jo")
    world.settle()
    world.say("email.replied", {}, contact_id="jo")
    merge(world)
    world.settle()
    assert world.states() == ["completed"]


def test_a_merged_account_is_followed_as_well(world: World) -> None:
    world.play(playbook("  - {do: wait_for_event, event: call.completed, within: 3d}", "once_per: account"))
    world.say()
    world.say("account.merged", {"merged_id": "acme"}, account_id="acme2")
    world.say(account_id="acme2")
    world.say("call.completed", {}, account_id="acme2")
    world.settle()
    assert world.sql("select state, account_id from playbook.run") == [("completed", "acme2")]


@pytest.mark.parametrize("order", list(permutations(("erase", "delete", "merge"))))
def test_no_order_of_erasure_deletion_and_merge_leaves_a_run_about_nobody(
    world: World, order: tuple[str, ...]
) -> None:
    """The run waits about jo, who is merged into jo2; both are erased or deleted in the end."""
    world.admin.execute("insert into crm.contact (tenant_id, id) values (%s, 'jo2')", (world.tenant,))
    world.play(playbook(WAIT + TASK))
    world.say(contact_id="jo")
    world.settle()
    for what in order:
        if what == "merge":
            merge(world)
        elif what == "delete":
            world.admin.execute("delete from crm.contact where id = any(array['jo', 'jo2'])")
        else:
            for id in ("jo", "jo2"):
                world.say("contact.erased", {}, contact_id=id)
        world.settle()
    world.pass_time()
    world.settle()
    assert world.states() == ["cancelled"]
    assert world.sql("select count(*) from playbook.task") == [(0,)]
