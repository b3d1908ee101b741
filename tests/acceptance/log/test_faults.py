"""Acknowledged is never lost, said twice is stored once, numbers have no gap.

Whatever is killed, flushed or restarted.

Real processes on servers of the test's own, under load the whole time. Each test prints what it counted.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_args

import psycopg
import pytest
import redis
from celery import Celery

from activity.settings import Role, settings
from cli.dev.embedded import EmbeddedPostgres, EmbeddedValkey

TENANTS = range(1, 6)
WORKER = (
    "-m",
    "celery",
    "-A",
    "worker",
    "worker",
    "--queues=append",
    "--pool=threads",
    "--concurrency=2",
    "--without-gossip",
    "--without-mingle",
    "-l",
    "ERROR",
)
HERE = Path(__file__).parents[1]


class Process:
    """A process that is started again when it ends, as `activity dev` and compose do, until `stop`."""

    def __init__(self, *argv: str, out: Path | None = None, log: Path) -> None:
        self.argv, self.out, self.log, self.starts = argv, out, log, 0
        self._stopping = threading.Event()
        self._start()
        self._keeper = threading.Thread(target=self._keep)
        self._keeper.start()

    def _start(self) -> None:
        self.starts += 1
        with self.log.open("ab") as log, (self.out or self.log).open("ab") as out:
            self.child = subprocess.Popen([sys.executable, *self.argv], stdout=out, stderr=log)

    def _keep(self) -> None:
        while not self._stopping.is_set():
            self.child.wait()
            if not self._stopping.wait(0.2):
                self._start()

    def kill(self) -> None:
        self.child.send_signal(signal.SIGKILL)

    def end(self) -> None:
        self._stopping.set()
        self.child.terminate()

    def stop(self) -> None:
        self.end()
        try:
            self.child.wait(15)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
        self._keeper.join()


class System:
    """Servers, append workers, beat, two producers and a follower of every tenant."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self.postgres = stack.enter_context(EmbeddedPostgres(folder / "pg"))
        self.valkey = stack.enter_context(EmbeddedValkey(folder / "vk"))
        self.processes: list[Process] = []
        self.seen: dict[int, list[int]] = {tenant: [] for tenant in TENANTS}
        self.done = threading.Event()
        self.followers: list[threading.Thread] = []

    def run(self, *argv: str, out: Path | None = None) -> Process:
        process = Process(*argv, out=out, log=self.folder / "log")
        self.processes.append(process)
        return process

    def produce(self) -> Process:
        return self.run(
            "-m", "tests.acceptance.programs.saying", *map(str, TENANTS), out=self.folder / "acked"
        )

    def follow(self) -> None:
        self.followers = [threading.Thread(target=self._follow, args=(tenant,)) for tenant in TENANTS]
        for follower in self.followers:
            follower.start()

    def _follow(self, tenant: int) -> None:
        from sqlalchemy.exc import DBAPIError

        from feed.follow import Follower

        with Follower(tenant, 0) as follower:
            complete = False
            while not complete:
                try:
                    self.seen[tenant] += [event.seq for event in follower.read(0.2)]
                    complete = self.done.is_set() and self.seen[tenant][-1:] == [self.head(tenant)]
                except (DBAPIError, psycopg.OperationalError):
                    time.sleep(0.1)  # PostgreSQL is away: go on from the same place

    def query(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.postgres.url(), autocommit=True) as admin:
            return admin.execute(statement, values).fetchall()

    def head(self, tenant: int) -> int:
        return int(self.query("select seq from activity.head where tenant_id = %s", tenant)[0][0])

    def stored(self) -> int:
        return int(self.query("select coalesce(sum(seq), 0) from activity.head")[0][0])

    def until(self, condition: Callable[[], bool], seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while not self._holds(condition):
            assert time.monotonic() < deadline, (self.folder / "log").read_text()[-3000:]
            time.sleep(0.02)

    @staticmethod
    def _holds(condition: Callable[[], bool]) -> bool:
        # A killed server may answer once more before its postmaster notices, and is then in recovery.
        try:
            return condition()
        except psycopg.OperationalError:
            return False

    def until_database_answers(self) -> None:
        self.until(lambda: bool(self.query("select 1")))

    def until_more(self, events: int) -> None:
        """Return when so many more events are in the log than now: the road is open."""
        seen: list[int] = []

        def more() -> bool:
            seen.append(self.stored())
            return seen[-1] >= seen[0] + events

        self.until(more)


@contextmanager
def system(*worker: str, workers: int = 1) -> Iterator[System]:
    from db.engine import close_connections
    from db.log import deployment
    from db.migrate import migrate
    from worker.process.redis import forget as forget_redis

    with (
        TemporaryDirectory(prefix="activity-") as folder,
        ExitStack() as stack,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("ACTIVITY_TRUST_BROKER", "true")
        running = System(Path(folder), stack)
        variables = {f"ACTIVITY_{role.upper()}_PASSWORD": f"{role}-password" for role in get_args(Role)}
        for name, value in (
            variables
            | {"ACTIVITY_DATABASE_URL": running.postgres.url(), "ACTIVITY_REDIS_URL": running.valkey.url()}
        ).items():
            patch.setenv(name, value)
        settings.cache_clear()
        migrate()
        running.query(
            "insert into crm.tenant (id, slug, name) select n, 't' || n, 't' from generate_series(1, %s) n "
            "returning id",
            len(TENANTS),
        )
        for _ in range(workers):
            running.run(*(worker or WORKER))
        running.run("-m", "celery", "-A", "worker", "beat", "-s", f"{folder}/beat", "-l", "ERROR")
        running.produce()
        running.produce()
        running.follow()
        try:
            running.until_more(1)
            yield running
        finally:
            running.done.set()
            for process in running.processes:  # all at once, since each takes its time
                process.end()
            for process in running.processes:
                process.stop()
            for follower in running.followers:
                follower.join(30)
            close_connections()
            forget_redis()
            deployment.forget()
            settings.cache_clear()


def settle(running: System, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Stop the producers, let all that was said be appended, and count."""
    from feed.verify import verify

    for process in [process for process in running.processes if process.out]:
        process.stop()
        running.processes.remove(process)
    running.until(lambda: running.query("select count(*) from activity.outbox") == [(0,)], 90)
    running.done.set()
    for follower in running.followers:
        follower.join(60)
        assert not follower.is_alive(), "a follower did not reach the head"
    lines = [line.split() for line in (running.folder / "acked").read_text().splitlines()]
    acked = {(int(line[0]), line[1]) for line in lines if len(line) == 2 and len(line[1]) == 36}
    rows = running.query(
        "select tenant_id, event_id::text, seq, recorded_at from activity.event order by tenant_id, seq"
    )
    stored = [(tenant, event_id) for tenant, event_id, _, _ in rows]
    heads = {tenant: running.head(tenant) for tenant in TENANTS}
    counts = {
        "acked": len(acked),
        "stored": len(stored),
        "lost": len(acked - set(stored)),
        "duplicated": len(stored) - len(set(stored)),
        "gaps": sum(heads.values()) - len(stored),
        "inversions": sum(1 for one, two in pairwise(rows) if one[0] == two[0] and two[3] < one[3]),
        "rejected": running.query("select count(*) from activity.rejected")[0][0],
        "chain": "whole" if not any(verify(tenant).faults for tenant in TENANTS) else "BROKEN",
        "worker restarts": running.processes[0].starts - 1,
        "followers": "complete"
        if all(running.seen[tenant] == list(range(1, heads[tenant] + 1)) for tenant in TENANTS)
        else "INCOMPLETE",
    }
    with capsys.disabled():
        print(f"\n{name:<42}", "  ".join(f"{key} {value}" for key, value in counts.items()))  # noqa: T201  # the table of the run
    assert counts["acked"] > 0
    assert {
        key: counts[key] for key in ("lost", "duplicated", "gaps", "inversions", "rejected")
    } == dict.fromkeys(("lost", "duplicated", "gaps", "inversions", "rejected"), 0)
    assert (counts["chain"], counts["followers"]) == ("whole", "complete")


def test_the_append_worker_is_killed_at_random(capsys: pytest.CaptureFixture[str]) -> None:
    with system() as running:
        worker = running.processes[0]
        for _ in range(4):
            running.until_more(50)
            worker.kill()
        settle(running, "kill -9 append worker, 4 times", capsys)


@pytest.mark.parametrize("point", ["before_move", "after_claim", "after_insert", "before_publish"])
def test_the_append_worker_dies_at_a_named_point(point: str, capsys: pytest.CaptureFixture[str]) -> None:
    with (
        TemporaryDirectory() as marks,
        system("-m", "tests.acceptance.programs.dying", point, marks, "3") as running,
    ):
        running.until(lambda: len(list(Path(marks).iterdir())) == 3)
        running.until_more(50)
        settle(running, f"kill -9 append worker {point}, 3 times", capsys)


def test_a_producer_is_killed(capsys: pytest.CaptureFixture[str]) -> None:
    with system() as running:
        for _ in range(3):
            running.until_more(50)
            for process in running.processes:
                if process.out:
                    process.kill()
        settle(running, "kill -9 both producers, 3 times", capsys)


@pytest.mark.parametrize("flushed", [False, True])
def test_the_broker_is_killed(flushed: bool, capsys: pytest.CaptureFixture[str]) -> None:
    with system() as running:
        for _ in range(3):
            running.until_more(50)
            if flushed:
                with redis.Redis.from_url(running.valkey.url()) as client:
                    client.flushall()
            running.valkey.stop(kill=True)
            running.valkey.start()
            running.until_more(50)
        settle(running, f"kill -9 broker{' and flush it' if flushed else ''}, 3 times", capsys)


def test_a_database_backend_is_killed(capsys: pytest.CaptureFixture[str]) -> None:
    with system() as running:
        for _ in range(2):
            running.until_more(50)
            ((pid,),) = running.query(
                "select pid from pg_stat_activity where usename = 'activity_writer' limit 1"
            )
            os.kill(pid, signal.SIGKILL)
            running.until_database_answers()
            running.until_more(50)
        settle(running, "kill -9 postgres backend, 2 times", capsys)


def test_the_database_stops_at_once_and_comes_back(capsys: pytest.CaptureFixture[str]) -> None:
    with system() as running:
        for _ in range(2):
            running.until_more(50)
            running.postgres.stop("immediate")
            running.postgres.start()
            running.until_more(50)
        settle(running, "stop postgres immediately, 2 times", capsys)


def test_two_append_workers_at_once_with_repeats(capsys: pytest.CaptureFixture[str]) -> None:
    with system(workers=2) as running:
        with psycopg.connect(running.postgres.url(), autocommit=True) as admin:
            for _ in range(5):  # what was said is said again, later and in another order
                running.until_more(50)
                admin.execute("""insert into activity.outbox (tenant_id, doc)
                    select tenant_id, json_build_object('event_id', event_id, 'tenant_id', tenant_id, 'type',
                        type, 'version', version,
                      'occurred_at', occurred_at, 'actor', actor, 'source', source, 'account_id', account_id,
                          'payload', payload)
                    from activity.event order by random() limit 200""")
        settle(running, "two append workers, repeats and reorder", capsys)


def test_a_message_that_comes_while_the_database_is_away_is_kept_until_it_is_back(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with system() as running:
        running.postgres.stop("immediate")
        said = {
            "tenant_id": 1,
            "type": "note.added",
            "source": "foreign",
            "account_id": "acme",
            "payload": {"text": "the only copy"},
        }
        with Celery(broker=running.valkey.url()) as foreign:
            foreign.send_task("activity.append", kwargs={"events": [said]}, queue="append")
        running.until(lambda: "append_put_off" in (running.folder / "log").read_text())
        running.postgres.start()
        running.until(
            lambda: running.query("select count(*) from activity.event where source = 'foreign'") == [(1,)]
        )
        settle(running, "message while the database is away", capsys)
