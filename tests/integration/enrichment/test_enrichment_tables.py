"""What enrichment finds in the workspace's own records and tables."""

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from db.records.values import EnrichedKind
from producers.enrichment.configuration import ProviderConfig
from producers.enrichment.provider import FoundValue, ProviderAnswer, ProviderFailed, Question, make
from producers.http import Outbound


def question(*fields: str, kind: EnrichedKind = "account", tenant: int = 1, **values: Any) -> Question:
    return Question(tenant, "acme-inc", kind, "r1", values, fields, "key-1")


def ask(
    uses: str, options: dict[str, Any], *questions: Question, **config: Any
) -> list[ProviderAnswer | None]:
    """Put questions to a provider, one call for as many as it takes."""

    async def run() -> list[ProviderAnswer | None]:
        async with Outbound(allow=()) as outbound:
            provider = make(
                "it", ProviderConfig(uses=uses, options=options, **{"timeout_s": 1, **config}), outbound
            )
            askable = [one for one in questions if provider.key(one) is not None]
            answers = iter(await provider.ask(askable)) if askable else iter(())
            return [next(answers) if one in askable else None for one in questions]

    return asyncio.run(run())


def test_a_contact_finds_the_account_of_its_domain_in_its_own_workspace_alone(
    admin: psycopg.Connection[Any], tenant: int, make_tenant: Callable[[], int]
) -> None:
    other = make_tenant()
    for number, id_ in ((tenant, "acme"), (other, "theirs")):
        admin.execute(
            "insert into crm.account (tenant_id, id, name, domain) values (%s, %s, 'A', 'acme.example')",
            (number, id_),
        )
    mine, public, unknown = ask(
        "domain",
        {},
        question("account_id", kind="contact", tenant=tenant, email="jo@mail.acme.example"),
        question("account_id", kind="contact", tenant=tenant, email="jo@gmail.com"),
        question("account_id", kind="contact", tenant=tenant, email="jo@elsewhere.example"),
    )
    assert mine is not None
    assert mine["account_id"] == FoundValue("acme", 0.9)
    assert public is None
    assert unknown == {"email_domain": FoundValue("elsewhere.example", 0.9)}


def test_a_table_of_the_tenants_own_is_a_file_or_a_query(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "acme-inc.csv").write_text(
        "domain,sector,staff\nACME.example,Logistics,12\nbad.example,Toys,many\n"
    )
    options = {
        "csv": str(tmp_path / "{tenant}.csv"),
        "fields": {"industry": "sector", "employees": "staff"},
        "integers": ["employees"],
    }
    found, missing = ask(
        "table",
        options,
        question("industry", domain="acme.example"),
        question("industry", domain="x.example"),
    )
    assert found == {"industry": FoundValue("Logistics"), "employees": FoundValue(12)}
    assert missing == {}
    with pytest.raises(ProviderFailed, match="no whole number"):
        ask("table", options, question("industry", domain="bad.example"))
    with sqlite3.connect(tmp_path / "own.db") as own:
        own.execute("create table t (domain text, sector text)")
        own.execute("insert into t values ('acme.example', 'Retail')")
    own.close()
    monkeypatch.setenv("OWN_DB", f"sqlite:///{tmp_path}/own.db")
    query = {
        "url_env": "OWN_DB",
        "query": "select sector from t where domain = :by",
        "fields": {"industry": "sector"},
    }
    assert ask("table", query, question("industry", domain="ACME.example")) == [
        {"industry": FoundValue("Retail")}
    ]
    with pytest.raises(ProviderFailed, match="OperationalError"):
        ask(
            "table",
            query | {"query": "select nothing from nowhere"},
            question("industry", domain="acme.example"),
        )
