"""The playbooks that are shipped as examples, each played through."""

from pathlib import Path
from typing import Any

import psycopg
import pytest

from db.engine import begin
from db.records import records
from db.records.records import Account, Contact, Opportunity
from tests.plays import World

EXAMPLES = Path(__file__).parents[3] / "docs/examples/playbooks"


@pytest.fixture
def world(admin: psycopg.Connection[Any], tenant: int) -> World:
    """A workspace in which every example is enabled."""
    made = World(admin, tenant)
    for file in sorted(EXAMPLES.glob("*.yaml")):
        made.play(file.read_text(encoding="utf-8"))
    return made


def titles(world: World) -> list[str]:
    return [title for (title,) in world.sql("select title from playbook.task order by id")]


def test_speed_to_lead_asks_for_a_call_and_tells_the_manager_when_there_was_none(world: World) -> None:
    world.say("signal.detected", {"signal": "demo_requested"})
    world.say("signal.detected", {"signal": "demo_requested"})
    world.say("signal.detected", {"signal": "newsletter_read"})
    world.settle()
    assert titles(world) == ["Call Acme: demo_requested"]
    assert world.sql("select assignee from playbook.task") == [("ana@vendor.example",)]
    world.pass_time()
    world.settle()
    assert world.sql("select recipient, message from playbook.notice") == [
        ("bo@vendor.example", "Nobody called Acme within an hour of demo_requested.")
    ]
    assert world.sql("select state, reason from playbook.run") == [("completed", "nobody called in time")]


def test_speed_to_lead_is_content_with_a_call(world: World) -> None:
    world.say("signal.detected", {"signal": "trial_started"})
    world.settle()
    world.say("call.completed", {"outcome": "interested"})
    world.settle()
    assert world.states() == ["completed"]
    assert world.sql("select fields ? 'last_fast_response' from crm.account") == [(True,)]
    assert world.sql("select count(*) from playbook.notice") == [(0,)]


def test_speed_to_lead_leaves_customers_alone(world: World) -> None:
    with begin("producer", world.tenant) as session:
        records.upsert(session, world.tenant, [Account(id="acme", fields={"customer": True})])
    world.say("signal.detected", {"signal": "demo_requested"})
    world.settle()
    assert world.states() == []


def deal_moves(world: World, to_stage: str) -> None:
    with begin("producer", world.tenant) as session:
        records.upsert(session, world.tenant, [Opportunity(id="deal", stage=to_stage)])
    world.say("deal.stage_changed", {"to_stage": to_stage}, record_type="opportunity", record_id="deal")
    world.settle()


def test_a_deal_that_stalls_is_asked_about_and_one_that_moves_is_not(world: World) -> None:
    deal_moves(world, "Negotiation")
    deal_moves(world, "Legal")
    assert world.states() == ["completed", "waiting"]
    world.pass_time()
    world.settle()
    assert titles(world) == ["Renewal has stood in Legal for 14 days"]
    world.pass_time()
    world.settle()
    assert world.sql("select recipient, message from playbook.notice") == [
        ("bo@vendor.example", "Renewal (Acme) has not moved for 28 days.")
    ]
    assert world.sql("select fields from crm.opportunity") == [({"stalled": True},)]


def test_a_deal_that_is_won_is_not_waited_for(world: World) -> None:
    deal_moves(world, "Won")
    assert world.states() == []


def test_a_bounced_champion_is_looked_for_and_written_to_no_more(world: World) -> None:
    with begin("producer", world.tenant) as session:
        records.upsert(session, world.tenant, [Contact(id="jo", fields={"champion": True})])
    world.say("email.bounced", {"bounce_type": "soft"}, contact_id="jo")
    world.say("email.bounced", {"bounce_type": "hard"}, contact_id="jo")
    world.settle()
    assert titles(world) == ["Find out where Jo Park of Acme went, and who follows"]
    assert world.sql("select fields->'champion_lost' from crm.contact") == [(True,)]
    assert world.sql("select payload->>'name' from activity.event where type = 'signal.detected'") == [
        ("Jo Park cannot be reached at jo@acme.example any more",)
    ]
