"""What every benchmark runs on: embedded servers of its own, migrated, in a temporary folder."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import get_args

import psycopg
import structlog

from activity.settings import Role, settings
from cli.dev.embedded import EmbeddedPostgres, EmbeddedValkey


@contextmanager
def servers(tenants: int) -> Iterator[psycopg.Connection]:
    """Start PostgreSQL and Valkey, configure this process and its children for them, make tenants.

    Yield a superuser's connection.
    """
    from db.engine import close_connections
    from db.migrate import migrate
    from worker.process.heap import freeze
    from worker.process.redis import forget as forget_redis

    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(40)
    )  # only errors: a benchmark measures no console
    with (
        tempfile.TemporaryDirectory(prefix="activity-bench-") as folder,
        EmbeddedPostgres(Path(folder) / "pg") as pg,
        EmbeddedValkey(Path(folder) / "vk") as vk,
    ):
        passwords = {f"ACTIVITY_{role.upper()}_PASSWORD": f"{role}-password" for role in get_args(Role)}
        os.environ |= passwords | {
            "ACTIVITY_DATABASE_URL": pg.url(),
            "ACTIVITY_REDIS_URL": vk.url(),
            "ACTIVITY_DATA_DIR": folder,
            "ACTIVITY_LOG_LEVEL": "error",
            "ACTIVITY_PUBLIC_URL": "http://127.0.0.1:8000",
            "ACTIVITY_TRACKING_KEYS": "k1:a-secret-for-the-benchmark",
        }
        settings.cache_clear()  # what is remembered of the servers before these
        close_connections()
        forget_redis()
        migrate()
        with psycopg.connect(pg.url(), autocommit=True) as admin:
            admin.execute(
                "insert into crm.tenant (id, slug, name) select n, 't' || n, 'Tenant ' || n from "
                "generate_series(1, %s) n",
                (tenants,),
            )
            freeze()  # as every worker and server does that this process stands for
            yield admin


@contextmanager
def celery(*arguments: str) -> Iterator[None]:
    """Run a Celery process for the time of the block."""
    process = subprocess.Popen(
        [sys.executable, "-m", "celery", *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait(20)


def timed(work: Callable[[], object]) -> float:
    """Return how many seconds `work` took."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def wait_until(condition: Callable[[], bool], seconds: float) -> None:
    """Return when `condition` holds; raise TimeoutError after `seconds`."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError
        time.sleep(0.005)


def percentile(values: list[float], share: float) -> float:
    """Return the value below which `share` of the values lie."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]
