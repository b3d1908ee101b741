"""The servers that the integration and acceptance tests run on."""

import os
import tempfile
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any, TypeVar, get_args

import hypothesis
import psycopg
import pytest
from sqlalchemy import make_url

from activity.settings import Role, settings
from cli.dev import ports
from cli.dev.embedded import EmbeddedPostgres, EmbeddedValkey, WheelMissing
from tests.proxy import Proxy

# No test depends on the load of the machine: a slow example is no wrong one.
hypothesis.settings.register_profile(
    "any load", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("any load")

S = TypeVar("S", EmbeddedPostgres, EmbeddedValkey)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is marked `beside` and needs what this machine does not have."""
    marks = {item: item.get_closest_marker("beside") for item in items}
    left_out = [item for item, mark in marks.items() if mark and not mark.args[0]]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail under continuous integration what a person's machine would skip."""
    report = yield
    if report.skipped and os.environ.get("CI") and not hasattr(report, "wasxfail"):
        report.outcome, report.longrepr = "failed", f"skipped under CI: {report.longrepr}"
    return report


@contextmanager
def _server_dir() -> Iterator[Path]:
    """A folder whose parents an embedded PostgreSQL's account can pass, unlike tmp_path's under root."""
    with tempfile.TemporaryDirectory(prefix="activity-") as folder:
        yield Path(folder)


@pytest.fixture
def server_folder() -> Iterator[Path]:
    """A folder for a server of a test's own."""
    with _server_dir() as folder:
        yield folder


def _start(server: S) -> S:
    try:
        server.start()
    except WheelMissing as missing:
        pytest.skip(str(missing))
    return server


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedPostgres]:
    """A PostgreSQL server for the whole run."""
    with _server_dir() as folder:
        server = _start(EmbeddedPostgres(folder))
        yield server
        server.stop("immediate")


@pytest.fixture(scope="session")
def valkey() -> Iterator[EmbeddedValkey]:
    """A Valkey server for the whole run."""
    with _server_dir() as folder:
        server = _start(EmbeddedValkey(folder))
        yield server
        server.stop(kill=True)


@pytest.fixture
def free_port() -> int:
    """A TCP port on 127.0.0.1 that nothing listens on."""
    return ports.free_port()


_ENVIRONMENT = {f"ACTIVITY_{role.upper()}_PASSWORD": f"{role}-password" for role in get_args(Role)}
_ENVIRONMENT |= {"ACTIVITY_TRUST_BROKER": "true", "ACTIVITY_PUBLIC_URL": "http://127.0.0.1:8000"}
_ENVIRONMENT |= {"ACTIVITY_TRACKING_KEYS": "k1:a-secret-for-the-tests"}
_numbers = count(1)


@contextmanager
def _database(postgres: EmbeddedPostgres, name: str, template: str) -> Iterator[str]:
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as admin:
        admin.execute(f'create database "{name}" template "{template}"')
        # A copy has the template's objects, but not its rights on the database itself.
        admin.execute(f'revoke create, temporary on database "{name}" from public')
        yield postgres.url(name)
        admin.execute(f'drop database "{name}" with (force)')


@pytest.fixture(scope="session")
def migrated(postgres: EmbeddedPostgres) -> Iterator[str]:
    """The name of a migrated database that each test's own is copied from."""
    from db.migrate import migrate  # not at the top: unit tests need no database code

    with _database(postgres, "migrated", "template1") as url, pytest.MonkeyPatch.context() as patch:
        for name, value in (_ENVIRONMENT | {"ACTIVITY_DATABASE_URL": url}).items():
            patch.setenv(name, value)
        settings.cache_clear()
        migrate()
        settings.cache_clear()
        yield "migrated"


@pytest.fixture
def environment(
    postgres: EmbeddedPostgres, valkey: EmbeddedValkey, migrated: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dict[str, str]]:
    """A migrated database of the test's own and an empty Valkey, configured here.

    The variables returned configure child processes.
    """
    from db.engine import close_connections
    from db.log import deployment
    from worker.celery import app
    from worker.process import redis
    from worker.process.redis import redis_client

    with _database(postgres, f"test_{next(_numbers)}", migrated) as url:
        variables = _ENVIRONMENT | {"ACTIVITY_DATABASE_URL": url, "ACTIVITY_REDIS_URL": valkey.url()}
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        settings.cache_clear()
        redis.forget()
        deployment.forget()
        redis_client().flushall()
        app.conf.broker_url = valkey.url()
        yield variables
        app.close()
        redis_client().close()
        close_connections()
        settings.cache_clear()
        redis.forget()
        deployment.forget()


@pytest.fixture
def proxy(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """A proxy before the test's database, which this process uses."""
    from db.engine import close_connections

    url = make_url(environment["ACTIVITY_DATABASE_URL"])
    assert url.port is not None
    with Proxy(url.port).running() as proxy:
        through = url.set(port=proxy.port).render_as_string(hide_password=False)
        monkeypatch.setenv("ACTIVITY_DATABASE_URL", through)
        settings.cache_clear()
        close_connections()
        yield proxy
        proxy.thaw()
        close_connections()


@pytest.fixture
def admin(environment: dict[str, str]) -> Iterator[psycopg.Connection[Any]]:
    """A superuser's connection to the test's database, in autocommit.

    To look at everything, and to do what nobody may.
    """
    with psycopg.connect(environment["ACTIVITY_DATABASE_URL"], autocommit=True) as connection:
        yield connection


@pytest.fixture
def make_tenant(admin: psycopg.Connection[Any]) -> Callable[[], int]:
    """A function that makes a workspace and returns its id."""

    def make() -> int:
        name = f"tenant-{next(_numbers)}"
        row = admin.execute(
            "insert into crm.tenant (slug, name) values (%s, %s) returning id", (name, name)
        ).fetchone()
        assert row is not None
        return int(row[0])

    return make


@pytest.fixture
def tenant(make_tenant: Callable[[], int]) -> int:
    """The id of a workspace."""
    return make_tenant()
