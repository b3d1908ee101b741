"""What a transaction of a role is promised."""

from typing import Any

import psycopg
import pytest
from sqlalchemy import text

from db.engine import EVERY_TENANT, begin

NAMED = text("select current_setting('activity.tenant', true)")


def test_a_connection_that_the_server_cut_is_replaced_before_use(admin: psycopg.Connection[Any], tenant: int) -> None:
    for _ in range(2):
        with begin("reader", tenant) as session:
            [pid] = session.execute(text("select pg_backend_pid()")).one()
        assert admin.execute("select pg_terminate_backend(%s, 5000)", (pid,)).fetchone() == (True,)
    with begin("reader", tenant) as session:
        assert session.execute(NAMED).one() == (str(tenant),)


def test_a_tenant_is_named_for_one_transaction_and_the_next_names_its_own(tenant: int) -> None:
    for named, seen in ((tenant, str(tenant)), (None, ""), (EVERY_TENANT, "*"), (None, "")):
        with begin("producer", named) as session:
            assert session.execute(NAMED).scalar_one() == seen


@pytest.mark.parametrize("name", ["1'; select 1; --", "", "1.5"])
def test_what_is_no_tenant_names_none(environment: dict[str, str], name: str) -> None:
    with pytest.raises(ValueError, match="invalid literal"), begin("reader", name):
        pass


def test_what_a_failed_transaction_did_is_undone(admin: psycopg.Connection[Any], tenant: int) -> None:
    with pytest.raises(ZeroDivisionError), begin("producer", tenant) as session:
        session.execute(text("insert into crm.account (tenant_id, id, name) values (:tenant, 'a', 'A')"), {"tenant": tenant})
        raise ZeroDivisionError
    assert admin.execute("select count(*) from crm.account").fetchone() == (0,)
