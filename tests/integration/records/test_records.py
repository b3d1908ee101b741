"""What the records promise."""

from decimal import Decimal
from typing import Any

import psycopg
import pytest

from db.engine import begin
from db.records import records
from db.records.records import Account, Member, Opportunity, TenantNotFound


def test_a_record_that_is_there_is_changed_where_something_is_said_and_stays_as_it_was_elsewhere(
    tenant: int,
) -> None:
    with begin("producer", tenant) as session:
        assert (
            records.upsert(
                session,
                tenant,
                [Account(id="a", name="Acme", domain="acme.example", fields={"sector": "retail", "size": 3})],
            )
            == 1
        )
        assert (
            records.upsert(
                session, tenant, [Account(id="a", owner_email="ana@example.com", fields={"size": 4})]
            )
            == 1
        )
        found = records.get(session, tenant, Account, "a")
    assert found == Account(
        id="a",
        name="Acme",
        domain="acme.example",
        owner_email="ana@example.com",
        fields={"sector": "retail", "size": 4},
    )


def test_an_upsert_that_changes_nothing_says_so(tenant: int) -> None:
    deal = Opportunity(id="o", name="Renewal", stage="Won", amount=Decimal("10.50"), currency="EUR")
    with begin("producer", tenant) as session:
        assert records.upsert(session, tenant, [deal, Opportunity(id="p")]) == 2
        assert records.upsert(session, tenant, [deal, Opportunity(id="p")]) == 0
        assert records.upsert(session, tenant, list[Opportunity]()) == 0
        assert records.get(session, tenant, Opportunity, "o") == deal


def test_of_two_records_with_one_key_the_later_wins(tenant: int) -> None:
    with begin("producer", tenant) as session:
        records.upsert(
            session,
            tenant,
            [
                Member(email="ana@example.com", name="Ana"),
                Member(email="ana@example.com", manager_email="bo@example.com"),
            ],
        )
        assert records.get(session, tenant, Member, "ana@example.com") == Member(
            email="ana@example.com", name="Ana", manager_email="bo@example.com"
        )


def test_parents_and_children_come_in_any_order_and_a_loop_of_parents_ends(tenant: int) -> None:
    with begin("producer", tenant) as session:
        records.upsert(
            session,
            tenant,
            [
                Account(id="c", parent_id="b"),
                Account(id="b", parent_id="a"),
                Account(id="a"),
                Account(id="d", parent_id="a"),
            ],
        )
        assert records.beneath(session, tenant, "a") == ["b", "d", "c"]
        assert records.beneath(session, tenant, "a", depth=1) == ["b", "d"]
        assert [child.id for child in records.children(session, tenant, "a")] == ["b", "d"]
        records.upsert(session, tenant, [Account(id="a", parent_id="c")])
        assert records.beneath(session, tenant, "a") == ["b", "d", "c"]
        assert records.beneath(session, tenant, "d") == []


def test_a_tenant_is_made_once_with_a_log_and_found_by_slug_and_by_id(admin: psycopg.Connection[Any]) -> None:
    with begin("producer") as session:
        made = records.make_tenant(session, "acme", "Acme")
        assert records.make_tenant(session, "acme", "Another") == made
        assert (
            records.get_tenant(session, "acme")
            == records.get_tenant(session, made.id)
            == records.find_tenant(session, str(made.id))
            == made
        )
        assert records.list_tenants(session) == [made]
        with pytest.raises(TenantNotFound, match="no tenant 'nobody'"):
            records.get_tenant(session, "nobody")
    assert admin.execute("select seq from activity.head where tenant_id = %s", (made.id,)).fetchall() == [
        (0,)
    ]


def test_a_tenant_sees_no_record_of_another(tenant: int, make_tenant: Any) -> None:
    other = make_tenant()
    with begin("producer", tenant) as session:
        records.upsert(session, tenant, [Account(id="a")])
    with begin("reader", other) as session:
        assert records.get(session, tenant, Account, "a") is None
