"""`activity migrate`: on an empty server, without superuser rights, twice, at once, and never back."""

import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Any, get_args

import psycopg
import pytest
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from activity.settings import Role, settings
from cli.dev.embedded import EmbeddedPostgres
from db import migrations
from db.migrate import SchemaTooNew, migrate
from db.roles import RolesInUse, RolesUnfit, faults

_numbers = count(1)


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedPostgres]:
    """A server of its own, that has no role of ours yet: roles belong to the server, not to a database."""
    with tempfile.TemporaryDirectory(prefix="activity-") as folder, EmbeddedPostgres(Path(folder)) as server:
        with psycopg.connect(server.url("postgres"), autocommit=True) as admin:
            admin.execute("create role migrator login createrole password 'migrator-password'")
        yield server


@pytest.fixture
def empty(server: EmbeddedPostgres) -> str:
    """The URL of an empty database, for a login that is no superuser but may make roles."""
    name = f"empty_{next(_numbers)}"
    with psycopg.connect(server.url("postgres"), autocommit=True) as admin:
        admin.execute(f"create database {name} owner migrator")
    return f"postgresql+psycopg://migrator:migrator-password@127.0.0.1:{server.port}/{name}"


def tables(url: str) -> set[Any]:
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        rows = connection.execute(
            "select schemaname || '.' || tablename from pg_tables where schemaname in ('activity', 'crm')"
        )
        return {name for (name,) in rows}


def test_it_works_without_superuser_rights_and_twice(empty: str) -> None:
    at = migrate(admin_url=empty)
    assert {"activity.event", "activity.outbox", "crm.account"} <= tables(empty)
    assert migrate(admin_url=empty) == at


def test_several_at_the_same_time_do_no_harm(empty: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        revisions = list(pool.map(lambda _: migrate(admin_url=empty), range(4)))
    assert len(set(revisions)) == 1


def test_a_schema_newer_than_the_program_is_refused(empty: str) -> None:
    migrate(admin_url=empty)
    with psycopg.connect(empty.replace("+psycopg", "")) as connection:
        connection.execute("update activity_version set version_num = '9999'")
    with pytest.raises(SchemaTooNew, match="upgrade the program"):
        migrate(admin_url=empty)


def test_suppressions_made_before_the_ledger_stand_in_it(
    empty: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as before:
        (tmp_path / "sql").mkdir()
        for file in (migrations.HERE / "sql").glob("*.sql"):
            if file.name < "0045":
                (tmp_path / "sql" / file.name).write_text(file.read_text())
        before.setattr(migrations, "HERE", tmp_path)
        migrate(admin_url=empty)
    kept = {
        "a@x.example": ("hard bounce", "hard_bounce", None),
        "b@x.example": ("5 soft bounces", "soft_bounces", None),
        "c@x.example": ("unsubscribed", "unsubscribed", None),
        "x.example": ("asked on the phone", "manual", "asked on the phone"),
    }
    with psycopg.connect(empty.replace("+psycopg", "")) as connection:
        connection.execute("set role activity_owner")
        connection.execute("insert into crm.tenant (id, slug, name) values (1, 'acme', 'Acme')")
        for target, (reason, _, _) in kept.items():
            connection.execute(
                "insert into crm.suppression (tenant_id, target, reason) values (1, %s, %s)", (target, reason)
            )
    migrate(admin_url=empty)
    with psycopg.connect(empty.replace("+psycopg", "")) as connection:
        connection.execute("set role activity_owner")
        rows = connection.execute(
            "select target, reason, note from crm.suppression where lifted_at is null"
        ).fetchall()
    assert {target: tuple(rest) for target, *rest in rows} == {
        target: (reason, note) for target, (_, reason, note) in kept.items()
    }


@pytest.fixture
def superuser(server: EmbeddedPostgres) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        yield connection


@pytest.mark.parametrize(
    ("role", "made", "says"),
    [
        ("reader", "bypassrls", "activity_reader: it has bypassrls"),
        ("writer", "superuser", "alter role activity_writer nosuperuser"),
        ("producer", "replication createdb", "activity_producer: it has createdb and replication"),
    ],
)
def test_a_role_with_a_right_that_undoes_a_promise_is_refused_with_what_to_run(
    empty: str, superuser: psycopg.Connection[Any], role: str, made: str, says: str
) -> None:
    migrate(admin_url=empty)
    superuser.execute(f"alter role activity_{role} {made}")
    with pytest.raises(RolesUnfit) as refused:
        migrate(admin_url=empty)
    assert says in str(refused.value)
    remedy = str(refused.value).partition("Have a superuser run: ")[2]
    superuser.execute(remedy)
    migrate(admin_url=empty)


def test_memberships_and_settings_are_brought_to_what_they_must_be(
    server: EmbeddedPostgres, empty: str, superuser: psycopg.Connection[Any]
) -> None:
    migrate(admin_url=empty)
    name = empty.rpartition("/")[2]
    superuser.execute("grant activity_owner to activity_reader")
    superuser.execute("alter role activity_owner login")
    superuser.execute("alter role activity_producer set synchronous_commit = off")
    superuser.execute("alter role activity_writer set default_transaction_isolation = 'repeatable read'")
    superuser.execute("alter role activity_reader reset all")
    superuser.execute(f"alter role activity_producer in database {name} set synchronous_commit = off")
    migrate(admin_url=server.url(name).replace("postgresql:", "postgresql+psycopg:"))
    with create_engine(empty, poolclass=NullPool).connect() as connection:
        assert faults(connection) == []


def test_a_second_database_of_the_cluster_never_locks_the_first_one_out(
    server: EmbeddedPostgres, empty: str, monkeypatch: pytest.MonkeyPatch, superuser: psycopg.Connection[Any]
) -> None:
    def passwords(value: str) -> None:
        for role in get_args(Role):
            monkeypatch.setenv(f"ACTIVITY_{role.upper()}_PASSWORD", f"{role}-{value}")
        settings.cache_clear()

    def lets_in(value: str) -> bool:
        login = f"postgresql://activity_producer:producer-{value}@127.0.0.1:{server.port}/postgres"
        try:
            psycopg.connect(login).close()
        except psycopg.OperationalError:
            return False
        return True

    for role in get_args(Role):
        superuser.execute(f"alter role activity_{role} password '{role}-production'")
    passwords("staging")
    with pytest.raises(RolesInUse, match=r"in use by the database .*empty_.*give those"):
        migrate(admin_url=empty)
    assert lets_in("production")
    assert tables(empty) == set()
    passwords("production")
    migrate(admin_url=empty)
    assert lets_in("production")
    monkeypatch.undo()
    settings.cache_clear()
