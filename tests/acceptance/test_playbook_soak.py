"""Playbooks over a real log, with and without kill -9.

`pytest -m soak tests/acceptance/test_playbook_soak.py -s`.

SOAK_ROWS=20000 in front of it takes the first 20,000 rows of the log alone.
"""

import gzip
import itertools
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from activity.settings import settings
from db.engine import begin
from producers.imports.mapping import load
from producers.imports.run import Importer
from producers.playbooks import dry_run, operate
from producers.playbooks.definition.program import build
from tests import vectors

ROOT = Path(__file__).parents[2]

LOG = vectors.FOREIGN / "replay/bpic2012_loan_applications.csv.gz"
ROWS = int(os.environ.get("SOAK_ROWS", "262200"))

PLAYS = {
    "Large and lost": """
name: Large and lost
trigger: {event: deal.lost}
conditions: ['double(event.payload.amount) >= 40000.0']
steps:
  - {do: add_note, text: 'Lost {{ opportunity.name }}'}
""",
    "Called": """
name: Called
trigger: {event: call.*}
conditions: ['event.actor != "system" && event.account_id.endsWith("7")']
once_per: account
cooldown: 10d
steps:
  - {do: create_task, title: 'Follow up on {{ account.name }}'}
  - {do: add_note, text: called}
""",
    "Offered": """
name: Offered
trigger: {event: email.sent}
conditions: ['opportunity.amount >= 45000.0']
once_per: opportunity
steps:
  - {do: wait_for_event, event: deal.*, about: opportunity, within: 30d}
  - {do: add_note, text: decided}
""",
}

WORKER = """
import sys, time, structlog
structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
from tests import vectors
from worker.follow import follow_once
from producers.playbooks.advance import advance_batch
from producers.playbooks.start import handle
from producers.playbooks.tasks import FOLLOWER
from worker.append import append_batch
print("up", flush=True)
while True:
    if not any([append_batch(1000), follow_once(FOLLOWER, handle), advance_batch()]):
        time.sleep(0.05)
"""


# What waits to be appended, to be followed, or to be advanced.
IDLE = """
select (select count(*) from activity.outbox)
     + (select count(*) from playbook.run where tenant_id = %(tenant)s and state = 'running')
     + (select h.seq - coalesce((select seq from activity.cursor where name = 'playbooks'
         and tenant_id = h.tenant_id), 0)
          from activity.head h where h.tenant_id = %(tenant)s)"""
# A killed worker's claims are another's after the lease; here at once, so that kills may come close together.
END_LEASES = "update playbook.run set due_at = now() where state = 'running' and due_at > now()"


class Worker:
    """A process that appends, follows and advances; it can be killed and is then started anew."""

    def __init__(self) -> None:
        self.kills = 0
        self._start()

    def _start(self) -> None:
        self.process = subprocess.Popen([sys.executable, "-c", WORKER], cwd=ROOT, stdout=subprocess.PIPE)
        assert self.process.stdout is not None
        os.set_blocking(self.process.stdout.fileno(), False)
        self.die_at = float("inf")

    @property
    def due(self) -> bool:
        """Whether it has worked for as long as this life is to last.

        Up to three seconds from its first step.
        """
        assert self.process.stdout is not None
        if self.process.stdout.read():
            self.die_at = time.monotonic() + random.uniform(0.1, 3)
        return time.monotonic() > self.die_at

    def kill(self) -> None:
        """Kill -9 it and start another."""
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate()
        self.kills += 1
        self._start()

    def stop(self) -> None:
        """End it."""
        self.process.kill()
        self.process.communicate()


@contextmanager
def worker() -> Iterator[Worker]:
    """A worker for the time of the block."""
    made = Worker()
    try:
        yield made
    finally:
        made.stop()


def play(
    tenant: int, folder: Path, moves: Callable[[Worker], None], idle: Callable[[], bool]
) -> tuple[int, float]:
    """Enable the playbooks, import the log, and let a worker do the rest.

    Return its kills and the seconds it took.
    """
    folder.mkdir()
    log = folder / "log.csv"
    with gzip.open(LOG, "rt", encoding="utf-8") as lines:
        log.write_text("".join(itertools.islice(lines, ROWS + 1)), encoding="utf-8")
    with begin("producer", tenant) as session:
        for source in PLAYS.values():
            operate.save(session, tenant, source, "soak")
            operate.enable(session, tenant, build(source).name, "ana@vendor.example")
    started = time.monotonic()
    with worker() as running:
        Importer(load(ROOT / "docs/examples/bpic2012.toml"), tenant, report=lambda ticks: moves(running)).run(
            log, folder, wait=False
        )
        while not idle():
            moves(running)
            time.sleep(0.2)
    return running.kills, time.monotonic() - started


def tell(line: str) -> None:
    """Show a figure (with -s)."""
    sys.stdout.write(f"\n{line}\n")


@vectors.extra
@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_a_backtest_a_live_run_and_one_under_kill_9_start_the_same(
    admin: psycopg.Connection[Any],
    make_tenant: Callable[[], int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ACTIVITY_PLAYBOOK_STARTS_PER_MINUTE", "1000000")
    settings.cache_clear()
    calm, killed = make_tenant(), make_tenant()

    def idle(tenant: int) -> Callable[[], bool]:
        def is_idle() -> bool:
            row = admin.execute(IDLE, {"tenant": tenant}).fetchone()
            return row == (0,)

        return is_idle

    def kill_sometimes(running: Worker) -> None:
        if running.due:
            running.kill()
            admin.execute(END_LEASES)

    _, calm_s = play(calm, tmp_path / "calm", lambda running: None, idle(calm))
    kills, killed_s = play(killed, tmp_path / "killed", kill_sometimes, idle(killed))

    def rows(statement: str, *values: Any) -> list[tuple[Any, ...]]:
        return admin.execute(statement.encode(), values).fetchall()

    tell(f"live {calm_s:.0f} s, live under {kills} kills {killed_s:.0f} s")
    for name, source in PLAYS.items():
        tested = dry_run.backtest(calm, build(source))
        live, under = (
            {
                row[0]: row[1]
                for row in rows(
                    "select trigger_id, heard->>'event_id' from playbook.run r join playbook.playbook p on "
                    "p.id = r.playbook_id"
                    " where r.tenant_id = %s and p.name = %s",
                    tenant,
                    name,
                )
            }
            for tenant in (calm, killed)
        )
        rate = tested.examined / tested.seconds
        tell(
            f"{name}: backtest {len(tested.starts)} of {tested.examined} events at {rate:.0f}/s, live "
            f"{len(live)}, killed {len(under)}"
        )
        assert tested.starts
        assert set(tested.starts) == live.keys() == under.keys()
        assert len(tested.starts) == len(live)
        assert live == under
    for tenant in (calm, killed):
        said = dict(
            rows(
                "select type, count(*) from activity.event where tenant_id = %s and source = 'playbook' "
                "group by type",
                tenant,
            )
        )
        runs = dict(
            rows("select state, count(*) from playbook.run where tenant_id = %s group by state", tenant)
        )
        steps = rows("select sum(done) from playbook.run where tenant_id = %s", tenant)[0][0]
        tell(f"tenant {tenant}: runs {runs}, said {said}")
        assert said["playbook.started"] == sum(runs.values())
        assert said["playbook.completed"] == runs["completed"]
        assert said["playbook.step_completed"] == steps
        assert said["note.added"] == runs["completed"]
        assert not rows("select 1 from activity.rejected where tenant_id = %s", tenant)
        tasks = rows(
            "select count(*), count(distinct run_id) from playbook.task where tenant_id = %s", tenant
        )
        assert tasks == [(said["task.created"], said["task.created"])]
