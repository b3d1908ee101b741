"""An operator's commands.

Erase a person, verify an exported log, replay rejected events, check a deployment.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from typer.testing import CliRunner

from activity.event import Event
from cli.main import app
from db.engine import begin
from db.records import records
from db.records.records import Contact
from feed.verify import verify
from tests.command import activity
from worker.append import append_batch
from worker.emit import emit

Admin = psycopg.Connection[Any]
PERSON = ("jo@acme.example", "Jo Park")


def say(tenant: int, text: str, **fields: Any) -> None:
    with begin("producer", tenant) as session:
        emit(
            session,
            Event(tenant_id=tenant, type="note.added", source="manual", payload={"text": text}, **fields),
        )


@pytest.fixture
def known(tenant: int, admin: Admin) -> int:
    """A workspace with a person in its records, enrichment, log and rejected events; and another person."""
    with begin("producer", tenant) as session:
        records.upsert(
            session,
            tenant,
            [Contact(id="jo", name="Jo Park", email="jo@acme.example"), Contact(id="li", name="Li Wei")],
        )
    say(tenant, "Jo Park called", contact_id="jo")
    say(tenant, "about somebody else", contact_id="li")
    while append_batch(100):
        pass
    admin.execute(
        """insert into crm.enrichment_provenance
           select %s, 'contact', 'jo', 'title', '"Jo Park, CIO"', 'p', 1, 0, 1, now()""",
        (tenant,),
    )
    admin.execute(
        """insert into crm.enrichment_cache (tenant_id, provider, key, found, obtained_at, expires_at)
           values (%s, 'p', 'https://p.example/?email=jo@acme.example', '{"name": "Jo Park"}',
                   now(), now() + interval '1 day')""",
        (tenant,),
    )
    admin.execute(
        "insert into crm.soft_bounce (tenant_id, address, count) values (%s, 'jo@acme.example', 1)", (tenant,)
    )
    for parked in (tenant, None):
        doc = {"tenant_id": tenant, "contact_id": "jo", "payload": {"text": "Jo Park \0"}}
        admin.execute(
            "insert into activity.rejected (tenant_id, doc, reason) values (%s, %s, 'x')",
            (parked, json.dumps(doc)),
        )
    return tenant


def everything(admin: Admin) -> str:
    """Every row of every table, as text."""
    schemas = ["activity", "crm", "playbook"]
    tables = admin.execute(
        "select schemaname, tablename from pg_tables where schemaname = any(%s)", (schemas,)
    ).fetchall()
    rows = (
        admin.execute(sql.SQL("select t::text from {} t").format(sql.Identifier(*name))).fetchall()
        for name in tables
    )
    return "\n".join(row for found in rows for (row,) in found)


def append_while_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Append what waits whenever the command sleeps: there is no worker here."""
    monkeypatch.setattr("producers.log.appended.time.sleep", lambda seconds: append_batch(100))


def test_an_erased_person_is_nowhere_any_more_and_the_log_says_that_they_were_erased(
    known: int, admin: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    append_while_waiting(monkeypatch)
    say(known, "Jo Park, emitted and not appended yet", contact_id="jo")
    asked = [
        "--actor",
        "dpo@example.com",
        "--reason",
        "request of the person",
        "--request-id",
        "dsr-1",
        "--tenant",
        known,
    ]
    assert "2 events lost their content" in activity("erase", "jo", *asked, "--yes")
    left = everything(admin)
    assert [name for name in PERSON if name in left] == []
    assert "about somebody else" in left
    events = admin.execute(
        "select type, actor, payload::text from activity.event where source = 'erasure' order by seq"
    ).fetchall()
    assert events == [
        ("contact.erased", "dpo@example.com", '{"reason":"request of the person","request_id":"dsr-1"}'),
        (
            "privacy.bodies_erased",
            "dpo@example.com",
            '{"events":2,"reason":"request of the person","request_id":"dsr-1","seqs":"1,3"}',
        ),
    ]
    assert verify(known).faults == []
    assert "0 events" in activity("erase", "jo", *asked, "--yes"), (
        "again erases nothing, and what says so stays"
    )
    assert admin.execute(
        "select count(*) from activity.event where source = 'erasure' and payload is not null"
    ).fetchone() == (4,)


def test_nothing_is_erased_unasked_or_of_somebody_unknown(known: int, admin: Admin) -> None:
    before = everything(admin)
    assert "Aborted" in activity(
        "erase", "jo", "--actor", "dpo@example.com", "--tenant", known, code=1, stdin="n\n"
    )
    assert "nothing is known of a contact 'joe'" in activity(
        "erase", "joe", "--actor", "dpo@example.com", "--tenant", known, code=2
    )
    assert "not a valid actor" in activity("erase", "jo", "--actor", "me", "--tenant", known, "--yes", code=2)
    assert everything(admin) == before


def test_without_an_append_worker_erasing_says_so_and_is_finished_by_saying_it_again(
    known: int, admin: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ["erase", "jo", "--actor", "dpo@example.com", "--tenant", known, "--yes"]
    monkeypatch.setattr("producers.log.appended._WAIT_S", 0.05)
    assert "is `activity worker append` running?" in activity(*asked, code=2)
    assert "Jo Park called" in everything(admin)
    monkeypatch.setattr("producers.log.appended._WAIT_S", 30)
    append_while_waiting(monkeypatch)
    assert "1 events lost their content" in activity(*asked)


def test_an_exported_log_is_verified_without_the_database(
    known: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with begin("eraser") as session:
        from db.records.erasure import erase

        erase(
            session,
            known,
            "jo",
            Event(tenant_id=1, type="", payload={}, source="").event_id,
            "dpo@example.com",
            None,
            None,
        )
    log = tmp_path / "log.ndjson"
    log.write_text(activity("export", "--tenant", known))
    kept = tmp_path / "checkpoint.json"
    kept.write_text(activity("checkpoint", "--tenant", known))
    monkeypatch.delenv("ACTIVITY_DATABASE_URL")
    assert f"tenant {known}: 3 events, whole" in activity("verify", "--export", log, "--checkpoint", kept)
    lines = log.read_text().splitlines(keepends=True)
    for changed, found in (
        ([*lines[:2], lines[2].replace("somebody", "nobody"), lines[3]], "payload of seq 2"),
        ([*lines[:2], lines[2].replace('"li"', '"lu"'), lines[3]], "chain broken at seq 2"),
        ([*lines[:2], lines[3]], "gap: seq 2 to 2"),
        ([*lines[:3], lines[1], lines[3]], "seq 1 stands behind seq 2"),
        (lines[:3], "the log was cut"),
        (lines[:3], "it holds the log to seq 3; it ends otherwise, at 2"),
        (lines[:3], "the content of seq 1 was taken out"),
    ):
        log.write_text("".join(changed))
        assert found in activity("verify", "--export", log, "--checkpoint", kept, code=1)
    log.write_text("".join(lines[1:]))
    assert "the file does not say what it holds" in activity("verify", "--export", log)
    log.write_text(lines[0] + "{}\n")
    assert "line 2 is none that `activity export` wrote" in activity("verify", "--export", log, code=2)
    log.write_text("")
    assert "is empty" in activity("verify", "--export", log, code=2)


def test_rejected_events_are_emitted_again_once_the_cause_is_mended(
    tenant: int, admin: Admin, make_tenant: Callable[[], int]
) -> None:
    good = {
        "tenant_id": tenant,
        "type": "note.added",
        "source": "crm",
        "account_id": "acme",
        "payload": {"text": "kept"},
    }
    docs = [json.dumps(good), json.dumps({**good, "type": "note.addd"}), "no JSON"]
    for doc in docs:
        admin.execute(
            "insert into activity.rejected (tenant_id, doc, reason) values (%s, %s, 'the reason')",
            (tenant, doc),
        )
    admin.execute(
        "insert into activity.rejected (tenant_id, doc, reason) values (%s, '{}', 'of another')",
        (make_tenant(),),
    )
    shown = [json.loads(line) for line in activity("rejected", "--tenant", tenant, "--json").splitlines()]
    assert [one["doc"] for one in shown] == docs[::-1]
    assert "the reason" in activity("rejected")
    ids = [one["id"] for one in shown][::-1]
    assert "would be emitted: note.added" in activity("replay", ids[0], "--dry-run")
    assert append_batch(10) == {}
    out = activity("replay", "--tenant", tenant, code=1).splitlines()
    assert "emitted: note.added" in out[0]
    assert "note.added" in out[1]
    assert "not JSON" in out[2]
    assert append_batch(10) == {"appended": 1}
    assert "the log has" in activity("replay", ids[0])
    assert append_batch(10) == {}


def test_replay_needs_to_know_which_events(tenant: int) -> None:
    assert "name the numbers" in activity("replay", code=2)
    assert "no rejected event has the number 4711" in activity("replay", 4711, code=2)


def test_the_doctor_says_what_is_wrong_and_what_to_do(tenant: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.deployment.doctor._LISTEN_S", 0.1)
    result = CliRunner().invoke(app, ["doctor", "--json"])
    assert result.exit_code == 1
    found = {one["part"]: one for one in map(json.loads, result.stdout.splitlines())}
    assert {part: one["well"] for part, one in found.items()} == {
        "settings": True,
        "database": True,
        "roles": True,
        "schema": True,
        "log": True,
        "broker": True,
        "workers": False,
    }
    assert found["workers"]["found"].startswith("nobody serves append")
    assert "activity worker append" in found["workers"]["todo"]
    say(tenant, "waits", account_id="acme")
    assert "1 events wait to be appended" in activity("doctor", code=1)
    monkeypatch.delenv("ACTIVITY_REDIS_URL")
    from activity.settings import settings

    settings.cache_clear()
    monkeypatch.delenv("ACTIVITY_DATABASE_URL")
    assert "ACTIVITY_DATABASE_URL is not set" in activity("doctor", code=1)
