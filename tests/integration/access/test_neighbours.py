"""Nothing of a neighbour: no operation shows one workspace a byte of another, or changes one there."""

import asyncio
from collections.abc import Iterator
from typing import Any

import httpx
import psycopg
import pytest

from activity.event import Event
from api.http.app import create_app
from db.engine import begin
from db.enrichment import providers
from db.enrichment.providers import FailureReport
from db.mail import suppression
from db.records import records
from db.records.records import Account, Contact, Opportunity
from tests.plays import World, playbook
from worker.append import append_batch
from worker.emit import emit

SECRET = "falcon"  # it is in all that the neighbour has, and in no id
# What a request says in its body; else an empty object. ID is one of the neighbour's.
BODIES: dict[str, dict[str, Any]] = {
    "/v1/accounts/{account_id}/notes": {"text": "x"},
    "/v1/accounts/{account_id}/comments": {"text": "x"},
    "/v1/accounts/{key}": {"name": "x"},
    "/v1/contacts/{key}": {"name": "x"},
    "/v1/events": {"type": "note.added", "payload": {"text": "x"}, "account_id": "a", "event_id": "ID"},
    "/v1/events/{event_id}/corrections": {"retracted": True},
    "/v1/opportunities/{key}/stage": {"stage": "Won"},
    "/v1/playbooks/{id}/start": {"kind": "account", "id": "hawk-account"},
    "/v1/sequences/{ref}/enrolments": {"contacts": [{"id": "hawk-contact"}]},
    "/v1/suppressions/lift": {"address": "hawk@acme.example"},
}
# Tables that are the deployment's, each with the reason why no workspace's secret is in it.
SHARED = {
    "activity.deployment": "its own name and keys",
    "activity.inbox": "empty: what is inserted goes into the log by a trigger",
    "crm.tenant": "the workspaces themselves",
    "public.activity_version": "a number",
    "crm.enrichment_provider": "`reason` is the operator's: the API shows none",
    "crm.signed_out": "random ids",
}


@pytest.fixture
def ids(admin: psycopg.Connection[Any], make_tenant: Any) -> list[str]:
    """What a neighbour's workspace is full of: the ids in it."""
    neighbour = make_tenant()
    world = World(admin, neighbour)
    play = world.play(playbook(f"  - {{do: add_note, text: {SECRET}}}"))
    with begin("producer", neighbour) as session:
        records.upsert(session, neighbour, [Account(id="hawk-account", name=SECRET)])
        contact = Contact(
            id="hawk-contact", account_id="hawk-account", name=SECRET, email="hawk@acme.example"
        )
        records.upsert(session, neighbour, [contact])
        deal = Opportunity(id="hawk-deal", account_id="hawk-account", name=SECRET, stage=SECRET)
        records.upsert(session, neighbour, [deal])
        note = Event(
            tenant_id=neighbour,
            type="note.added",
            payload={"text": SECRET},
            source=SECRET,
            actor=f"{SECRET}@v.example",
            account_id="hawk-account",
            contact_id="hawk-contact",
        )
        emit(session, note)
        given = suppression.Provenance(SECRET, f"{SECRET}@v.example", SECRET)
        suppression.add(session, neighbour, "hawk@acme.example", "manual", given)
        providers.register(session, ["dns"])
        failure = FailureReport("dns", 1, f"{SECRET}.example cannot be resolved", 5, 60.0)
        providers.report_failures(session, [failure])
    world.say()
    world.settle()
    while append_batch(1000):
        pass
    runs = [str(run) for (run,) in world.sql("select id from playbook.run where tenant_id = %s", neighbour)]
    named = ["hawk-account", "hawk-contact", "hawk-deal", "hawk@acme.example", str(neighbour)]
    return [str(note.event_id), str(play), *runs, *named]


def requests(ids: list[str]) -> Iterator[tuple[str, str, Any]]:
    """Every operation with each of the ids in its path, its body and each part of its query."""
    for path, operations in create_app().openapi()["paths"].items():
        for method, described in operations.items():
            if path == "/v1/stream":
                continue
            given = described.get("parameters", [])
            names = [one["name"] for one in given if one["in"] == "query"]
            inside = [one["name"] for one in given if one["in"] == "path"]
            for id_ in ids if inside or names or path in BODIES else [""]:
                filled = path
                for name in inside:
                    filled = filled.replace(f"{{{name}}}", id_)
                body = BODIES.get(path, {})
                body = {name: id_ if value == "ID" else value for name, value in body.items()}
                yield method, filled, body
                yield from ((method, f"{filled}?{name}={id_}", body) for name in names)


def test_no_operation_shows_a_workspace_anything_of_another(
    ids: list[str], key: str, tenant: int, admin: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACTIVITY_WRITE_RATE", "1000000")
    asked: set[tuple[str, str]] = set()

    async def scene() -> None:
        transport = httpx.ASGITransport(create_app())
        async with httpx.AsyncClient(
            transport=transport, base_url="http://api", headers={"Authorization": f"Bearer {key}"}
        ) as client:
            for method, path, body in requests(ids):
                answer = await client.request(method, path, json=None if method == "get" else body)
                assert SECRET not in answer.text, (method, path, answer.text)
                assert answer.status_code < 500, (method, path)
                asked.add((method, path))

    theirs = "select count(*), max(tenant_id) from activity.outbox where tenant_id <> %s"
    before = admin.execute(theirs, [tenant]).fetchone()
    asyncio.run(scene())
    assert len(asked) > 300
    assert admin.execute(theirs, [tenant]).fetchone() == before


def test_a_table_that_is_not_of_one_workspace_is_known_to_hold_nothing_of_any(
    admin: psycopg.Connection[Any],
) -> None:
    shared = admin.execute(
        """select format('%I.%I', n.nspname, c.relname)
             from pg_class c join pg_namespace n on n.oid = relnamespace
            where c.relkind in ('r', 'p') and n.nspname in ('activity', 'crm', 'playbook', 'public')
              and not exists (select 1 from pg_attribute where attrelid = c.oid and attname = 'tenant_id')"""
    ).fetchall()
    assert {name for (name,) in shared} - SHARED.keys() == set()
