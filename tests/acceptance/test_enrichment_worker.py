"""A pass from the request to its event, through the worker as it ships."""

from pathlib import Path
from typing import Any

import psycopg
import pytest

from activity.settings import settings
from bench.servers import celery, wait_until
from db.engine import begin
from producers.enrichment import ask


def test_a_pass_that_was_asked_for_is_ended_by_the_celery_worker_without_a_beat(
    admin: psycopg.Connection[Any], tenant: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "table.csv").write_text("domain,sector\nacme.example,Logistics\n")
    (tmp_path / "enrichment.toml").write_text(f"""
[providers.own]
uses = "table"
options = {{ csv = "{tmp_path}/table.csv", fields = {{ industry = "sector" }} }}
[fields.account]
industry = {{ providers = ["own"] }}
""")
    monkeypatch.setenv("ACTIVITY_ENRICHMENT_CONFIG", str(tmp_path / "enrichment.toml"))
    settings.cache_clear()
    admin.execute(
        "insert into crm.account (tenant_id, id, name, domain) values (%s, 'acme', 'Acme', 'acme.example')",
        (tenant,),
    )
    with celery(
        "-A",
        "worker",
        "worker",
        "--queues=enrichment,append",
        "--pool=prefork",
        "--concurrency=2",
        "--without-gossip",
        "--without-mingle",
    ):
        with begin("producer", tenant) as session:
            ask(session, tenant, "account", "acme", by="ana@example.com")
        query = "select payload->>'changed' from activity.event where type = 'enrichment_completed'"
        wait_until(lambda: admin.execute(query).fetchall() == [("1",)], 60)
