"""What Redis answers decides how soon work is done, and never whether it is: with a Redis in this process."""

from collections.abc import Iterator
from itertools import pairwise
from uuid import UUID, uuid4

import fakeredis
import msgspec
import pytest
import structlog
from hypothesis import HealthCheck, given
from hypothesis import settings as effort
from hypothesis import strategies as st
from redis.client import PubSub

from activity.message import opened
from activity.settings import settings
from db.log import deployment
from worker.celery import app
from worker.nudge import mark_started, nudge
from worker.process import redis as process_redis
from worker.publish import Appended, announce, publish

KEY = b"k" * 32
TASK = "activity.append"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[fakeredis.FakeServer]:
    """Stand in for the process's Redis, and name the deployment without a database."""
    server = fakeredis.FakeServer()
    process_redis.forget()
    monkeypatch.setenv("ACTIVITY_REDIS_URL", "redis://stand-in")
    settings.cache_clear()
    monkeypatch.setattr(process_redis, "connect", lambda **_: fakeredis.FakeRedis(server=server))
    name_deployment(monkeypatch, "prod")
    keys = deployment.MessageKeys("writer")
    monkeypatch.setattr(keys, "_keys", [KEY])
    monkeypatch.setattr(deployment, "message_keys", lambda _: keys)
    yield server
    process_redis.forget()
    settings.cache_clear()


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The tasks that were sent to the broker."""
    tasks: list[str] = []
    monkeypatch.setattr(app, "send_task", tasks.append)
    return tasks


def name_deployment(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(deployment, "name", lambda _: name)


def test_a_task_that_waits_already_is_not_sent_again(server: fakeredis.FakeServer, sent: list[str]) -> None:
    assert [nudge(TASK) for _ in range(3)] == [True] * 3
    assert nudge("sequence.send")
    assert sent == [TASK, "sequence.send"]


def test_what_is_committed_after_a_task_began_wakes_it_again(
    server: fakeredis.FakeServer, sent: list[str]
) -> None:
    nudge(TASK)
    mark_started(TASK)
    nudge(TASK)
    assert sent == [TASK, TASK]


def test_a_nudge_that_was_lost_holds_the_next_back_for_a_second_at_most(
    server: fakeredis.FakeServer, sent: list[str]
) -> None:
    nudge(TASK)
    client = fakeredis.FakeRedis(server=server)
    (key,) = client.keys()
    assert 0 < client.pttl(key) <= 1000


def test_two_deployments_on_one_server_wake_each_their_own(
    server: fakeredis.FakeServer, sent: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    nudge(TASK)
    name_deployment(monkeypatch, "staging")
    nudge(TASK)
    mark_started(TASK)
    name_deployment(monkeypatch, "prod")
    nudge(TASK)
    assert sent == [TASK, TASK], "the staging worker's start says nothing of production's"


def test_a_server_that_is_away_is_said_once_and_left_alone(
    server: fakeredis.FakeServer, sent: list[str]
) -> None:
    server.connected = False
    with structlog.testing.capture_logs() as logs:
        assert [nudge(TASK) for _ in range(5)] == [False] * 5
    assert [(one["event"], one["error"]) for one in logs] == [("redis_failed", "ConnectionError")]
    server.connected = True
    process_redis.forget()
    assert nudge(TASK)
    assert sent == [TASK]


def test_a_broker_that_refuses_the_task_is_no_reason_to_raise(
    server: fakeredis.FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: str) -> None:
        raise RuntimeError("OOM command not allowed when used memory > 'maxmemory'")

    monkeypatch.setattr(app, "send_task", full)
    assert not nudge(TASK)


class Message(msgspec.Struct):
    epoch: str
    first: int
    last: int
    events: list[int]


def subscribed(server: fakeredis.FakeServer) -> PubSub:
    subscription: PubSub = fakeredis.FakeRedis(server=server).pubsub()  # type: ignore[no-untyped-call]  # redis
    subscription.psubscribe("*")
    return subscription


def heard(subscription: PubSub) -> Iterator[tuple[str, bytes]]:
    while message := subscription.get_message():
        if message["type"] == "pmessage":
            name = message["channel"].decode()
            body = opened([KEY], name, message["data"])
            assert body is not None, "whatever is published is signed for its channel"
            yield name, body


@effort(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(st.lists(st.integers(1, 3), max_size=700))
def test_messages_hold_one_workspaces_events_in_order_and_200_at_most(
    server: fakeredis.FakeServer, tenants: list[int]
) -> None:
    subscription = subscribed(server)
    numbers = dict.fromkeys((1, 2, 3), 0)
    appended = []
    for tenant in tenants:
        numbers[tenant] += 1
        appended.append(Appended(tenant, numbers[tenant], str(numbers[tenant])))
    epochs: dict[int, UUID] = {tenant: uuid4() for tenant in numbers}
    publish(appended, epochs)
    found: dict[str, list[Message]] = {}
    for name, body in heard(subscription):
        found.setdefault(name, []).append(msgspec.json.decode(body, type=Message))
    assert set(found) == {f"activity:prod:{tenant}" for tenant, last in numbers.items() if last}
    for name, messages in found.items():
        tenant = int(name.rsplit(":", 1)[1])
        assert {message.epoch for message in messages} == {str(epochs[tenant])}
        assert all(len(message.events) <= 200 for message in messages)
        assert all(m.events == list(range(m.first, m.last + 1)) for m in messages)
        assert all(one.last + 1 == next_.first for one, next_ in pairwise(messages))
        assert (messages[0].first, messages[-1].last) == (1, numbers[tenant])


def test_an_announcement_says_where_a_log_stands(server: fakeredis.FakeServer) -> None:
    subscription = subscribed(server)
    epoch = uuid4()
    announce([(7, epoch, 12)])
    assert list(heard(subscription)) == [("activity:prod:7", f'{{"epoch":"{epoch}","head":12}}'.encode())]
