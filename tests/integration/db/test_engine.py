"""What a transaction of a role is promised."""

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import NoResultFound

from db.engine import EVERY_TENANT, begin
from db.log.heads import heads_now

NAMED = text("select current_setting('activity.tenant', true)")


def test_a_connection_that_the_server_cut_is_replaced_before_use(
    admin: psycopg.Connection[Any], tenant: int
) -> None:
    for _ in range(2):
        with begin("reader", tenant) as session:
            [pid] = session.execute(text("select pg_backend_pid()")).one()
        assert admin.execute("select pg_terminate_backend(%s, 5000)", (pid,)).fetchone() == (True,)
    with begin("reader", tenant) as session:
        assert session.execute(NAMED).one() == (str(tenant),)


def test_heads_are_read_for_many_logs_at_once_even_after_the_server_cut_the_connections(
    admin: psycopg.Connection[Any], make_tenant: Callable[[], int]
) -> None:
    logs = [make_tenant(), make_tenant()]
    for _ in range(2):
        heads = heads_now([*logs, logs[0]])
        assert [(head.tenant_id, head.seq) for head in heads] == [(logs[0], 0), (logs[1], 0), (logs[0], 0)]
        assert heads[0].epoch != heads[1].epoch
        admin.execute(
            "select pg_terminate_backend(pid, 5000) from pg_stat_activity where usename = 'activity_reader'"
        )
    with pytest.raises(NoResultFound):
        heads_now([999_999])


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
        session.execute(
            text("insert into crm.account (tenant_id, id, name) values (:tenant, 'a', 'A')"),
            {"tenant": tenant},
        )
        raise ZeroDivisionError
    assert admin.execute("select count(*) from crm.account").fetchone() == (0,)
