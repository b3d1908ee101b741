"""A follower sees every event exactly once and in order, whatever pub/sub does."""

import random
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from activity.errors import ActivityError
from activity.event import Event, RecordedEvent
from cli.dev.embedded import EmbeddedValkey
from db.engine import begin
from feed.follow import Follower
from feed.position import EpochChanged
from worker import append as road
from worker.append import append_batch
from worker.emit import emit
from worker.follow import follow_once
from worker.publish import publish as real_publish


def say(tenant: int, count: int = 1) -> None:
    with begin("producer") as session:
        emit(
            session,
            [
                Event(
                    tenant_id=tenant,
                    type="note.added",
                    source="test",
                    account_id="acme",
                    payload={"text": str(n)},
                )
                for n in range(count)
            ],
        )


def append(tenant: int, count: int = 1) -> None:
    say(tenant, count)
    while append_batch(7):
        pass


def read(follower: Follower, count: int) -> list[int]:
    """Return the numbers that come until there are `count`, or until ten seconds have passed."""
    seen: list[int] = []
    deadline = time.monotonic() + 10
    while len(seen) < count and time.monotonic() < deadline:
        seen += [event.seq for event in follower.read(0.5)]
    return seen


def test_from_now_from_a_number_and_from_the_beginning(tenant: int) -> None:
    append(tenant, 5)
    with Follower(tenant) as now, Follower(tenant, 3) as later, Follower(tenant, 0) as beginning:
        append(tenant, 2)
        assert read(now, 2) == [6, 7]
        assert read(later, 4) == [4, 5, 6, 7]
        assert read(beginning, 7) == [1, 2, 3, 4, 5, 6, 7]


def test_a_number_beyond_the_log_is_refused(tenant: int) -> None:
    with pytest.raises(ActivityError, match="goes from 0 to 0"):
        Follower(tenant, 1)


def test_events_whose_publishing_was_lost_still_come(tenant: int, monkeypatch: pytest.MonkeyPatch) -> None:
    with Follower(tenant) as follower:
        append(tenant)
        assert read(follower, 1) == [1]
        monkeypatch.setattr(road, "publish", lambda *_: None)
        append(tenant, 3)  # the last message lost, and then silence
        assert read(follower, 3) == [2, 3, 4]


def test_whatever_is_lost_doubled_or_reordered_every_event_comes_once_in_order(
    tenant: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    dice = random.Random(4)
    kept: list[Any] = []

    def unreliable(appended: Any, epochs: Any) -> None:
        kept.append((list(appended), epochs))
        dice.shuffle(kept)
        for message in kept[: dice.randrange(3)]:
            real_publish(*message)

    monkeypatch.setattr(road, "publish", unreliable)
    with Follower(tenant) as follower:
        appending = threading.Thread(target=append, args=(tenant, 200))
        appending.start()
        assert read(follower, 200) == list(range(1, 201))
        appending.join()


def test_a_follower_outlives_redis(tenant: int, valkey: EmbeddedValkey) -> None:
    with Follower(tenant) as follower:
        append(tenant)
        assert read(follower, 1) == [1]
        valkey.stop(kill=True)
        append(tenant, 2)
        assert read(follower, 2) == [2, 3]
        valkey.start()
        append(tenant, 2)
        assert read(follower, 2) == [4, 5]


def test_a_restored_log_ends_the_follower(admin: psycopg.Connection[Any], tenant: int) -> None:
    with Follower(tenant) as follower:
        admin.execute("update activity.head set epoch = gen_random_uuid()")
        append(tenant)
        with pytest.raises(EpochChanged):
            read(follower, 1)


class Handler:
    """Keeps what it handled in the database, in the transaction of the cursor; fails when told to."""

    def __init__(self, admin: psycopg.Connection[Any]) -> None:
        admin.execute(
            "create table public.handled (n bigint generated always as identity, tenant_id int, seq bigint)"
        )
        admin.execute("grant insert on public.handled to activity_producer")
        self.admin, self.fails = admin, False

    def __call__(self, session: Session, tenant_id: int, events: Sequence[RecordedEvent]) -> None:
        for event in events:
            session.execute(
                text("insert into public.handled (tenant_id, seq) values (:t, :s)"),
                {"t": tenant_id, "s": event.seq},
            )
        if self.fails:
            raise RuntimeError

    def seqs(self, tenant: int) -> list[int]:
        return [
            seq
            for (seq,) in self.admin.execute(
                "select seq from public.handled where tenant_id = %s order by n", (tenant,)
            )
        ]


def test_a_durable_follower_handles_every_event_once_across_failures_and_tenants(
    admin: psycopg.Connection[Any], make_tenant: Callable[[], int]
) -> None:
    handler, one, two = Handler(admin), make_tenant(), make_tenant()
    append(one, 7)
    assert follow_once("test", handler, page=5) == {"handled": 5}
    handler.fails = True
    with pytest.raises(RuntimeError):
        follow_once("test", handler, page=5)
    handler.fails = False
    append(two, 2)
    while follow_once("test", handler, page=5):
        pass
    assert handler.seqs(one) == [1, 2, 3, 4, 5, 6, 7]
    assert handler.seqs(two) == [1, 2]


def test_many_durable_followers_of_one_name_share_one_cursor(
    admin: psycopg.Connection[Any], tenant: int
) -> None:
    handler = Handler(admin)
    append(tenant, 60)

    def work() -> None:
        while not done():
            follow_once("test", handler, page=7)

    def done() -> bool:
        with begin("producer") as session:
            return session.execute(text("select seq from activity.cursor where name = 'test'")).scalar() == 60

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert handler.seqs(tenant) == list(range(1, 61))
