"""Accounts to enrich, providers of the farm, and what passes over them left."""

import json
from typing import Any

import psycopg

from db.engine import begin
from producers.enrichment import Priority, ask_all
from producers.enrichment.run import work_off
from worker.append import append_batch

Rows = list[tuple[Any, ...]]
Admin = psycopg.Connection[Any]


def provider(name: str, port: int, **more: object) -> str:
    options = {
        "uses": "http_json",
        "cost": "0.05",
        "timeout_s": 0.5,
        "tries": 1,
        "breaker_failures": 1000,
        **more,
    }
    lines = [f"{key} = {json.dumps(value)}" for key, value in options.items()]
    request = f'''options.url = "http://127.0.0.1:{port}/{name}/lookup?domain={{domain}}"
options.fields = {{ industry = "company.industry", employees = "company.employees" }}
options.confidence = "score"'''
    return f"[providers.{name}]\n" + "\n".join(lines) + f"\n{request}\n"


FIELDS = """
[fields.account]
industry = { providers = ["orbit", "lumen"] }
employees = { type = "integer", providers = ["orbit", "lumen"] }
"""


def account(admin: Admin, tenant: int, id_: str, domain: str | None = None, **fields: Any) -> None:
    admin.execute(
        "insert into crm.account (tenant_id, id, name, domain, fields) values (%s, %s, %s, %s, %s)",
        (tenant, id_, id_.title(), domain or f"{id_}.example", json.dumps(fields)),
    )


def enrich(tenant: int, *ids: str, fields: list[str] | None = None) -> None:
    with begin("producer", tenant) as session:
        ask_all(session, tenant, "account", ids, fields, priority=Priority.NOW, by="ana@example.com")
    while work_off():
        pass


def events(admin: Admin, tenant: int) -> list[dict[str, Any]]:
    while append_batch(1000):
        pass
    rows = admin.execute(
        """select type, account_id, actor, cause_id, payload from activity.event
            where tenant_id = %s order by seq""",
        (tenant,),
    )
    return [
        {"type": type_, "account": id_, "actor": actor, "cause": cause, **payload}
        for type_, id_, actor, cause, payload in rows
    ]


def values(admin: Admin, tenant: int, id_: str) -> dict[str, Any]:
    ((found,),) = admin.execute(
        "select fields from crm.account where tenant_id = %s and id = %s", (tenant, id_)
    ).fetchall()
    assert isinstance(found, dict)
    return found
