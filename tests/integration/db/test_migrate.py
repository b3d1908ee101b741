"""`activity migrate`: on an empty server, without superuser rights, twice, at once, and never back."""

import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest

from cli.dev.embedded import EmbeddedPostgres
from db import migrations
from db.migrate import SchemaTooNew, migrate

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
