"""The example playbooks, as they ship, played by the workers and the clock, as they ship."""

from functools import partial
from pathlib import Path
from typing import Any

import psycopg

from bench.servers import celery, wait_until
from cli.deployment.processes import processes
from db.engine import begin
from db.records import records
from db.records.records import Contact
from producers.sequences import enroll
from tests.plays import World

EXAMPLES = Path(__file__).parents[2] / "docs/examples/playbooks"


def test_the_example_playbooks_are_played_by_the_workers(
    admin: psycopg.Connection[Any], tenant: int, tmp_path: Path, monkeypatch: Any
) -> None:
    world = World(admin, tenant)
    world.add_sequence("Renewals")
    with begin("producer", tenant) as session:
        records.upsert(session, tenant, [Contact(id="jo", fields={"champion": True})])
        enroll(session, tenant, world.sql("select id from crm.sequence")[0][0], "jo", by="ana@vendor.example")
    admin.execute("update crm.enrolment set due_at = now() + interval '1 hour'")  # this is not about its mail
    for file in EXAMPLES.glob("*.yaml"):
        world.play(file.read_text(encoding="utf-8"))

    def until(query: str, *rows: tuple[Any, ...]) -> None:
        wait_until(lambda: world.sql(query) == list(rows), 60)

    monkeypatch.setenv("ACTIVITY_DATA_DIR", str(tmp_path))
    run = {child.name: partial(celery, *child.argv[3:]) for child in processes()}
    with run["append"](), run["producers"](), run["beat"]():
        world.say("signal.detected", {"signal": "demo_requested"})
        until(
            "select title, assignee from playbook.task", ("Call Acme: demo_requested", "ana@vendor.example")
        )
        world.say("deal.stage_changed", {"to_stage": "Legal"}, record_type="opportunity", record_id="deal")
        world.say("email.bounced", {"bounce_type": "hard"}, contact_id="jo")
        until(
            "select state, count(*)::int from playbook.run group by 1 order by 1",
            ("completed", 1),
            ("waiting", 2),
        )
        until("select reason from crm.enrolment where state = 'finished'", ("address bounced",))
        until("select fields->'champion_lost' from crm.contact", (True,))
        world.pass_time()  # nobody called within the hour, and the deal stood still for two weeks
        until("select recipient from playbook.notice", ("bo@vendor.example",))
        until(
            "select title from playbook.task where opportunity_id = 'deal'",
            ("Renewal has stood in Proposal for 14 days",),
        )
        world.pass_time()  # and for four
        until("select fields->'stalled' from crm.opportunity", (True,))
        until("select distinct state from playbook.run", ("completed",))
