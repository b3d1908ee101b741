"""Every wait for PostgreSQL ends, whatever became of the connection."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import DBAPIError

from activity.errors import SettingMissing
from activity.settings import settings
from db import connection, engine
from tests.proxy import Proxy


def _ask() -> None:
    with engine.begin("reader", 0) as session:
        session.execute(text("select 1"))


@pytest.mark.parametrize("fault", ["half_open", "freeze"])
def test_a_wait_for_a_server_that_is_not_heard_ends(
    proxy: Proxy, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(engine._BOUND_S, "reader", 2.5)
    _ask()
    getattr(proxy, fault)()
    with pytest.raises(DBAPIError):
        _ask()
    proxy.thaw()
    _ask()


def test_one_connection_that_hears_nothing_keeps_its_neighbours_from_being_used(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(engine._BOUND_S, "reader", 2.5)
    with engine.begin("reader", 0) as one, engine.begin("reader", 0):
        one.execute(text("select 1"))
    proxy.half_open()
    with pytest.raises(DBAPIError):
        _ask()
    _ask()  # the second idle connection is as dead as the first: nobody is given it


def test_an_answer_that_is_merely_slow_is_waited_for(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "SLOW_S", 0.05)
    with engine.begin("reader", 0) as session:
        assert session.scalar(text("select 7 from pg_sleep(0.3)")) == 7
    _ask()


def test_a_message_of_several_statements_ends_too(proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "SLOW_S", 0.1)
    with pytest.raises(DBAPIError), engine.begin("reader", 0) as session:
        beneath = engine.driver(session)
        beneath.bound_s = 0.3
        proxy.half_open()
        with pytest.raises(psycopg.OperationalError, match=r"no answer for 0\.3 s"):
            beneath.ask(b"select 1; select 2")
        assert beneath.closed


@pytest.mark.parametrize(("stated", "kept"), [("0", 0), ("none", None), (None, 5)])
def test_a_url_says_when_statements_are_prepared(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, stated: str | None, kept: int | None
) -> None:
    if stated is not None:
        monkeypatch.setenv(
            "ACTIVITY_DATABASE_URL", f"{environment['ACTIVITY_DATABASE_URL']}?prepare_threshold={stated}"
        )
    settings.cache_clear()
    engine.close_connections()
    with engine.begin("reader", 0) as session:
        assert engine.driver(session).prepare_threshold == kept


def test_a_url_that_says_nonsense_is_refused_with_what_to_write(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACTIVITY_DATABASE_URL", f"{environment['ACTIVITY_DATABASE_URL']}?prepare_threshold=x")
    settings.cache_clear()
    engine.close_connections()
    with pytest.raises(SettingMissing, match="prepare_threshold is a number, or none"):
        _ask()


def test_threads_that_ask_for_a_pool_at_once_get_the_same(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.close_connections()
    together = Barrier(2, timeout=10)

    def made_by_both(*args: Any, **options: Any) -> Engine:
        together.wait()
        return create_engine(*args, **options)

    monkeypatch.setattr(engine, "create_engine", made_by_both)
    with ThreadPoolExecutor(2) as threads:
        one, other = threads.map(lambda _: engine.engine("reader"), range(2))
    assert one is other  # the connections of a second one nobody would close
