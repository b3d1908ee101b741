"""Enrichment under kill -9: every pass ends in exactly one event, and what providers answered is booked."""

import os
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import pytest

from bench import farm
from bench.servers import wait_until
from db.engine import begin
from producers.enrichment import Priority, ask_all
from worker.append import append_batch

Admin = psycopg.Connection[Any]
ROOT = Path(__file__).parents[2]
WORK = "from producers.enrichment.run import work_off\nwhile True:\n    work_off()\n"

CONFIGURATION = """
concurrency = 40
[fields.account]
industry = {{ providers = ["orbit", "lumen"] }}
employees = {{ type = "integer", providers = ["orbit", "lumen"] }}
[providers.orbit]
uses = "http_json"
cost = "0.05"
concurrency = 40
timeout_s = 1
breaker_failures = 100000
options.url = "http://127.0.0.1:{port}/orbit/lookup?domain={{domain}}"
options.fields = {{ industry = "company.industry", employees = "company.employees" }}
[providers.lumen]
uses = "http_json"
cost = "0.05"
concurrency = 40
timeout_s = 1
breaker_failures = 100000
options.url = "http://127.0.0.1:{port}/lumen/lookup?domain={{domain}}"
options.fields = {{ industry = "company.industry", employees = "company.employees" }}
"""


class Worker:
    """A process that works passes off, forever."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", WORK], env=os.environ | environment, cwd=ROOT, stderr=subprocess.DEVNULL
        )

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


def churn(admin: Admin, environment: dict[str, str], kills: int, share: int) -> None:
    """Let two workers work until all is done, killing one whenever a share more of the passes is over."""
    workers = [Worker(environment), Worker(environment)]
    try:
        for number in range(kills):
            few = waiting(admin) - share
            assert few > 0
            wait_until(lambda few=few: waiting(admin) <= few, 300)  # type: ignore[misc]  # mypy can't type a lambda's default
            workers[number % 2].kill()
            workers[number % 2] = Worker(environment)
        wait_until(lambda: waiting(admin) == 0, 900)
    finally:
        for worker in workers:
            worker.kill()


def waiting(admin: Admin) -> int:
    """Return how many passes are not over.

    Leases are cut to 8 s: the test need not wait two minutes for those of the dead.
    """
    admin.execute(
        """update crm.enrichment_pass set due_at = now()
            where due_at > now() and due_at < now() + interval '112 seconds'"""
    )
    return count(admin, "select count(*) from crm.enrichment_pass where due_at is not null")


def count(admin: Admin, query: LiteralString) -> int:
    row = admin.execute(query).fetchone()
    assert row is not None
    return int(row[0])


@pytest.fixture
def port() -> Iterator[int]:
    """The port of a farm where every tenth request meets with a fault."""
    with farm.running(0.01, 0.1) as running:
        yield running


@pytest.mark.timeout(1500)
@pytest.mark.parametrize(("passes", "kills"), [(300, 4), pytest.param(10_000, 25, marks=pytest.mark.soak)])
def test_under_kill_9_every_pass_ends_in_one_event_and_spend_is_what_was_answered(
    admin: Admin,
    tenant: int,
    environment: dict[str, str],
    port: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    passes: int,
    kills: int,
) -> None:
    config = tmp_path / "enrichment.toml"
    config.write_text(CONFIGURATION.format(port=port))
    environment |= {
        "ACTIVITY_ENRICHMENT_CONFIG": str(config),
        "ACTIVITY_OUTBOUND_ALLOW": "127.0.0.1/32",
        "ACTIVITY_LOG_LEVEL": "error",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    from activity.settings import settings

    settings.cache_clear()
    admin.execute(
        """insert into crm.account (tenant_id, id, name, domain)
           select %s, 'a' || n, 'A', 'a' || n || '.example' from generate_series(1, %s) n""",
        (tenant, passes),
    )
    with begin("producer", tenant) as session:
        ask_all(session, tenant, "account", [f"a{n}" for n in range(1, passes + 1)], priority=Priority.IMPORT)
    churn(admin, environment, kills, max(1, passes // (kills + 2)))
    answered = farm.counts(port)["answered"]
    while append_batch(1000):
        pass
    ended = "select count({}) from activity.event where record_type = 'enrichment_pass'"
    assert [
        count(admin, ended.format(what)) for what in ("*", "distinct record_id", "distinct account_id")
    ] == [passes] * 3
    assert count(admin, "select count(*) from activity.rejected") == 0
    ((spent, reserved, calls, repeats),) = admin.execute(
        "select spent, reserved, calls, repeats from crm.enrichment_spend"
    ).fetchall()
    lost = count(admin, "select count(*) from crm.enrichment_call where state = 'lost'")
    late = count(
        admin,
        "select count(*) from crm.enrichment_call where state = 'failed' and reason like 'no answer within%'",
    )
    figures = {
        "answered": answered,
        "booked": calls,
        "repeats": repeats,
        "lost": lost,
        "late": late,
        "kills": kills,
    }
    with capsys.disabled():
        print(f"\n{passes} passes", "  ".join(f"{name} {number}" for name, number in figures.items()))  # noqa: T201  # the table of the run
    assert (reserved, spent) == (0, calls * Decimal("0.05"))
    assert calls <= answered <= calls + lost + late, figures
    assert repeats <= lost, figures
