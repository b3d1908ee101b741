"""The one way to claim work: never twice at once, never lost, never changed by a late holder."""

import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from sqlalchemy import text

from db.claim import Claimed, LeaseLost, Queue, claim, finish
from db.engine import EVERY_TENANT, begin


@dataclass(frozen=True)
class Job(Claimed):
    priority: int


JOBS = Queue("crm.job", Job, lease=timedelta(seconds=60))
URGENT = Queue("crm.job", Job, lease=timedelta(seconds=60), priorities=(0, 5))


@pytest.fixture(autouse=True)
def jobs(admin: psycopg.Connection[Any], tenant: int) -> None:
    admin.execute("set role activity_owner")
    admin.execute("""create table crm.job (id bigint generated always as identity primary key,
        tenant_id int not null, priority smallint not null default 5,
        due_at timestamptz, fence int not null default 0, done int not null default 0)""")
    admin.execute("create index job_due on crm.job (priority, due_at) where due_at is not null")
    admin.execute("call crm.guard('crm.job')")
    admin.execute("reset role")


def add(admin: psycopg.Connection[Any], tenant: int, count: int, **columns: Any) -> None:
    values = {"due_at": datetime(2026, 1, 1, tzinfo=UTC), "priority": 5} | columns
    admin.execute(
        "insert into crm.job (tenant_id, due_at, priority) select %s, %s, %s from generate_series(1, %s)",
        (tenant, values["due_at"], values["priority"], count),
    )


def take(limit: int = 10, queue: Queue[Job] = JOBS) -> list[Job]:
    with begin("producer", EVERY_TENANT) as session:
        return claim(session, queue, limit)


def test_due_work_is_claimed_once_and_work_of_the_future_is_not(
    admin: psycopg.Connection[Any], tenant: int
) -> None:
    add(admin, tenant, 3)
    add(admin, tenant, 1, due_at=datetime.now(UTC) + timedelta(hours=1))
    add(admin, tenant, 1, due_at=None)
    assert len(take()) == 3
    assert take() == []


def test_the_urgent_goes_first_whatever_waits(admin: psycopg.Connection[Any], tenant: int) -> None:
    add(admin, tenant, 5, due_at=datetime(2025, 1, 1, tzinfo=UTC))
    add(admin, tenant, 1, priority=0)
    assert [row.priority for row in take(2, URGENT)] == [0, 5]


def test_many_workers_at_once_share_the_work_without_overlap(
    admin: psycopg.Connection[Any], tenant: int
) -> None:
    add(admin, tenant, 300)
    taken: list[int] = []

    def work() -> None:
        while rows := take(7):
            taken.extend(row.id for row in rows)

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(taken) == 300
    assert len(set(taken)) == 300


def test_finished_work_is_gone_and_postponed_work_comes_back(
    admin: psycopg.Connection[Any], tenant: int
) -> None:
    add(admin, tenant, 2)
    first, second = take()
    with begin("producer", EVERY_TENANT) as session:
        finish(session, JOBS, first)
        finish(session, JOBS, second, due_at=datetime(2026, 1, 2, tzinfo=UTC))
    assert [row.id for row in take()] == [second.id]


def test_a_dead_holders_work_is_claimed_again_when_its_lease_ends_and_a_late_holder_changes_nothing(
    admin: psycopg.Connection[Any], tenant: int
) -> None:
    add(admin, tenant, 1)
    (late,) = take()
    admin.execute("update crm.job set due_at = clock_timestamp()")  # the lease ends
    (now,) = take()
    assert (now.id, now.fence) == (late.id, late.fence + 1)
    with pytest.raises(LeaseLost), begin("producer", EVERY_TENANT) as session:
        session.execute(text("update crm.job set done = done + 1"))
        finish(session, JOBS, late)
    with begin("producer", EVERY_TENANT) as session:
        session.execute(text("update crm.job set done = done + 1"))
        finish(session, JOBS, now)
    assert admin.execute("select done, due_at from crm.job").fetchall() == [(1, None)]


def test_a_claim_that_rolls_back_leaves_the_work_for_others(
    admin: psycopg.Connection[Any], tenant: int
) -> None:
    add(admin, tenant, 1)
    with pytest.raises(RuntimeError), begin("producer", EVERY_TENANT) as session:
        assert len(claim(session, JOBS, 1)) == 1
        raise RuntimeError
    assert len(take()) == 1
