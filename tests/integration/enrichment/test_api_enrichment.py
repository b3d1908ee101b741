"""What Enrich now and provenance promise over HTTP and on the command line."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from typer.testing import CliRunner

from activity.settings import settings
from api.http.app import create_app
from cli.main import app
from db import access
from db.engine import EVERY_TENANT, begin
from db.enrichment import passes
from db.records.values import RecordNotFound
from producers.enrichment import ask
from producers.enrichment.run import work_off

Admin = psycopg.Connection[Any]
Send = Callable[..., httpx.Response]


@pytest.fixture
def send(tenant: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Send:
    """A function that sends a request with a key that may do everything.

    A table of the workspace's own is configured.
    """
    (tmp_path / "table.csv").write_text("domain,sector\nacme.example,Logistics\n")
    (tmp_path / "enrichment.toml").write_text(f"""
[providers.own]
uses = "table"
options = {{ csv = "{tmp_path}/table.csv", fields = {{ industry = "sector" }} }}
[fields.account]
industry = {{ providers = ["own"] }}
[[signals]]
rule = "industry known"
signal = "industry"
field = "industry"
""")
    monkeypatch.setenv("ACTIVITY_ENRICHMENT_CONFIG", str(tmp_path / "enrichment.toml"))
    settings.cache_clear()
    key = access.new_key()
    with begin("producer", tenant) as session:
        access.add_key(session, tenant, key, "tests", access.SCOPES, "ana@example.com")

    def once(method: str, path: str, **options: Any) -> httpx.Response:
        async def run() -> httpx.Response:
            headers = {"Authorization": f"Bearer {key}"}
            async with httpx.AsyncClient(
                transport=httpx.ASGITransport(create_app()), base_url="http://api", headers=headers
            ) as client:
                return await client.request(method, path, **options)

        return asyncio.run(run())

    return once


@pytest.fixture
def acme(admin: Admin, tenant: int) -> None:
    """An account, with a value that a person entered."""
    admin.execute(
        """insert into crm.account (tenant_id, id, name, domain, fields)
           values (%s, 'acme', 'Acme', 'acme.example', '{"tier": 1}')""",
        (tenant,),
    )


@pytest.mark.usefixtures("acme")
def test_enrich_now_answers_with_its_pass_and_provenance_shows_what_came_of_it(
    admin: Admin, send: Send
) -> None:
    asked = send("POST", "/v1/accounts/acme/enrich", json={})
    assert asked.status_code == 202
    assert asked.json()["fields"] == ["industry"]
    assert (
        send("POST", "/v1/accounts/acme/enrich", json={"fields": ["industry"]}).json()["pass_id"]
        == asked.json()["pass_id"]
    )
    work_off()
    found = send("GET", "/v1/accounts/acme/provenance").json()
    assert found["enriched_by"] == "own"
    industry, tier = found["fields"]["industry"], found["fields"]["tier"]
    assert (industry["value"], industry["provider"], industry["confidence"], industry["entered"]) == (
        "Logistics",
        "own",
        1.0,
        False,
    )
    assert (tier["provider"], tier["entered"]) == (None, True)
    admin.execute('update crm.account set fields = fields || \'{"industry": "Retail"}\'')
    assert send("GET", "/v1/accounts/acme/provenance").json()["fields"]["industry"]["entered"] is True
    docs = [doc for (doc,) in admin.execute("select doc from activity.outbox order by n")]
    assert [doc["type"] for doc in docs] == ["enrichment_completed", "signal.detected"]
    assert docs[0]["event_id"] == docs[1]["cause_id"] == asked.json()["event_id"]
    assert docs[0]["actor"] == "ana@example.com"
    assert send("GET", "/v1/enrichment").json()["calls"] == 1


@pytest.mark.usefixtures("acme")
def test_an_unknown_record_is_not_found_and_an_unknown_field_names_those_that_exist(send: Send) -> None:
    assert send("POST", "/v1/accounts/nobody/enrich", json={}).status_code == 404
    assert (
        send("POST", "/v1/contacts/nobody/enrich", json={}).status_code == 422
    )  # no field of contacts is configured
    assert send("GET", "/v1/contacts/nobody/provenance").status_code == 404
    assert send("GET", "/v1/accounts/a%00b/provenance").status_code == 404
    refused = send("POST", "/v1/accounts/acme/enrich", json={"fields": ["colour"]})
    assert refused.status_code == 422
    assert "'colour'" in refused.json()["detail"]
    assert "industry" in refused.json()["detail"]


@pytest.mark.usefixtures("acme", "send")
def test_the_command_asks_for_passes_and_shows_providers_and_spend(
    admin: Admin, tenant: int, tmp_path: Path
) -> None:
    (tmp_path / "ids").write_text("acme\n")
    run = CliRunner().invoke(
        app, ["enrich", "--tenant", str(tenant), "--file", str(tmp_path / "ids"), "--json"]
    )
    assert run.exit_code == 0, run.output
    assert list(json.loads(run.output)) == ["acme"]
    assert admin.execute("select priority from crm.enrichment_pass").fetchall() == [(6,)]
    work_off()
    shown = CliRunner().invoke(app, ["enrichment", "providers", "--json"])
    assert [row["name"] for row in json.loads(shown.output)] == ["own"]
    spent = CliRunner().invoke(app, ["enrichment", "spend", "--tenant", str(tenant), "--json"])
    assert json.loads(spent.output)["calls"] == 1
    assert CliRunner().invoke(app, ["enrich", "--tenant", str(tenant), "nobody"]).exit_code == 2


@pytest.mark.usefixtures("acme", "send")
def test_no_tenant_sees_anothers_passes(tenant: int, make_tenant: Callable[[], int]) -> None:
    other = make_tenant()
    with begin("producer", tenant) as session:
        pass_id = ask(session, tenant, "account", "acme")
    with begin("producer", other) as session, pytest.raises(RecordNotFound):
        ask(session, other, "account", "acme")
    with begin("reader", other) as session:
        assert passes.get_pass(session, tenant, pass_id) is None
    with begin("producer", EVERY_TENANT) as session:
        assert passes.get_pass(session, other, pass_id) is None
