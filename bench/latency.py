"""How long an event takes from its commit to a follower, and whether a flood in one tenant delays others.

Through real processes.
"""

import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import ExitStack
from threading import Event as Flag
from threading import Thread
from uuid import UUID

import psycopg

from bench.servers import celery, percentile, wait_until

RATE, SECONDS = 300, 30
CALM_RATE, CALM_SECONDS, CALM_TENANTS = 100, 15, 4
APPEND_WORKER = ("-A", "worker", "worker", "-Q", "append", "-P", "threads", "-c", "2", "-n", "append@%h")

Delays = dict[UUID, float]  # when each event was committed, or came


def latency(admin: psycopg.Connection) -> dict[str, float]:
    """Measure from commit to follower at 300 events/s for 30 s."""
    with _processes():
        delays = _measure([1], RATE, SECONDS)
    return {
        "latency_p50_ms": percentile(delays, 0.5) * 1000,
        "latency_p99_ms": percentile(delays, 0.99) * 1000,
        "latency_max_ms": max(delays) * 1000,
        "latency_events": len(delays),
    }


def flood(admin: psycopg.Connection, events: int) -> dict[str, float]:
    """Measure four tenants in calm, and while a fifth has `events` events said at once."""
    quiet = list(range(2, 2 + CALM_TENANTS))
    with _processes():
        calm = _measure(quiet, CALM_RATE, CALM_SECONDS)
        admin.execute(
            """insert into activity.outbox (tenant_id, doc)
               select 1, json_build_object('event_id', uuidv7(), 'tenant_id', 1, 'type', 'email.sent',
                                            'version', 1,
                 'occurred_at', now(), 'actor', 'system', 'source', 'flood',
                 'account_id', 'acc_' || n %% 3000, 'payload', json_build_object('subject', 'Renewal ' || n))
                 from generate_series(1, %s) n""",
            (events,),
        )
        started = time.monotonic()
        flooded = _measure(quiet, CALM_RATE, CALM_SECONDS)
        ((waiting,),) = admin.execute("select count(*) from activity.outbox where tenant_id = 1").fetchall()
        drained = (events - waiting) / (time.monotonic() - started)
    calm_p99, flood_p99 = percentile(calm, 0.99), percentile(flooded, 0.99)
    return {
        "calm_p99_ms": calm_p99 * 1000,
        "flood_p99_ms": flood_p99 * 1000,
        "flood_p99_ratio": flood_p99 / calm_p99,
        "flood_drained_per_s": drained,
        "flood_still_waiting": waiting,
    }


def _processes() -> ExitStack:
    stack = ExitStack()
    stack.enter_context(celery(*APPEND_WORKER))
    stack.enter_context(celery("-A", "worker", "beat", "-s", "/dev/shm/activity-bench-beat"))  # noqa: S108  # beat's own state, of no worth
    return stack


def _measure(tenants: list[int], rate: int, seconds: int) -> list[float]:
    """Have a process of its own emit; return each event's seconds from its commit to a follower here."""
    came: Delays = {}
    done = Flag()
    followers = [Thread(target=_follow, args=(tenant, came, done)) for tenant in tenants]
    for follower in followers:
        follower.start()
    _warm_up(tenants, came)
    arguments = [str(value) for value in (rate, seconds, *tenants)]
    said = subprocess.run(
        [sys.executable, "-m", "bench.latency", *arguments], check=True, capture_output=True, text=True
    )
    committed = {UUID(event_id): float(at) for event_id, at in map(str.split, said.stdout.splitlines())}
    wait_until(lambda: committed.keys() <= came.keys(), 60)
    done.set()
    for follower in followers:
        follower.join()
    return [came[event_id] - at for event_id, at in committed.items()]


def _follow(tenant: int, came: Delays, done: Flag) -> None:
    from feed.follow import Follower

    with Follower(tenant) as follower:
        while not done.is_set():
            for event in follower.read(0.2):
                came[event.event_id] = time.time()


def _warm_up(tenants: Iterable[int], came: Delays) -> None:
    """Wait until an event of each tenant has come through: processes have started, connections are open."""
    for tenant in tenants:
        before = len(came)
        while len(came) == before:
            for _ in _say(1, 1, [tenant]):
                pass
            time.sleep(0.2)


def _say(rate: int, count: int, tenants: list[int]) -> Iterable[tuple[UUID, float]]:
    """Emit `count` events at an even pace; yield each one's id and the moment its commit returned."""
    from bench.samples.events import outbound_mail
    from db.engine import begin
    from worker.emit import emit

    begun = time.monotonic()
    for n, event in enumerate(outbound_mail(count, len(tenants), tenants[0])):
        time.sleep(max(0.0, begun + n / rate - time.monotonic()))
        with begin("producer") as session:
            emit(session, event)
        yield event.event_id, time.time()


if __name__ == "__main__":
    pace, length, *whose = map(int, sys.argv[1:])
    for event_id, at in list(_say(pace, pace * length, whose)):
        print(event_id, at)  # read by the parent
