"""Two deployments on one Redis never meet, and what is forged on a channel is neither shown nor kept."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from activity.event import Event
from activity.message import channel, signed
from activity.settings import settings
from cli.dev.embedded import EmbeddedPostgres
from db.engine import begin, close_connections
from db.log import deployment, heads
from feed.follow import Follower
from feed.subscription import Subscription
from tests.command import activity
from worker.append import append_batch
from worker.emit import emit
from worker.nudge import nudge
from worker.process.redis import redis_client
from worker.publish import announce


def append(tenant: int, text: str = "hello") -> None:
    with begin("producer") as session:
        emit(
            session,
            Event(
                tenant_id=tenant, type="note.added", source="test", account_id="acme", payload={"text": text}
            ),
        )
    assert append_batch(10) == {"appended": 1}


def forget() -> None:
    deployment.forget()
    close_connections()
    settings.cache_clear()


@contextmanager
def copied(postgres: EmbeddedPostgres, url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Work in a copy of the database, as a backup that was restored beside it, until the end of the block."""
    name = url.rpartition("/")[2]
    close_connections()
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as server:
        server.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", (name,))
        server.execute(f'create database "{name}_copy" template "{name}"')
    with monkeypatch.context() as patch:
        patch.setenv("ACTIVITY_DATABASE_URL", f"{url}_copy")
        forget()
        yield
    forget()
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as server:
        server.execute(f'drop database "{name}_copy" with (force)')


def read(follower: Follower, seq: int) -> list[str]:
    texts: list[str] = []
    while follower.position.seq < seq:
        texts += [bytes(event.payload).decode() for event in follower.read(0.2)]
    return texts


def test_a_restored_copy_on_the_same_redis_writes_into_nobodys_feed(
    postgres: EmbeddedPostgres,
    environment: dict[str, str],
    tenant: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    append(tenant, "one")
    with Follower(tenant, 1) as follower:
        follower.read(0.1)
        production = deployment.name("reader")
        with copied(postgres, environment["ACTIVITY_DATABASE_URL"], monkeypatch):
            assert deployment.name("reader") != production
            append(tenant, "staging")
        append(tenant, "real")
        assert read(follower, 2) == ['{"text":"real"}']


def test_the_nudges_of_two_deployments_do_not_coalesce(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "two"):
        monkeypatch.setenv("ACTIVITY_DEPLOYMENT", name)
        forget()
        assert nudge("playbook.start")
    assert redis_client().llen("playbooks") == 2


FORGED: dict[str, Callable[[str, str], tuple[str, bytes]]] = {
    "untagged": lambda own, body: (own, body.encode()),
    "with a key of somebody else's": lambda own, body: (own, signed(b"x" * 32, own, body)),
    "empty": lambda own, _: (own, b""),
    "half a tag": lambda own, _: (own, b"ab"),
    "no text": lambda own, _: (own, bytes(range(256))),
}


@pytest.mark.parametrize("forgery", FORGED)
def test_a_forged_message_is_never_delivered(tenant: int, forgery: str) -> None:
    append(tenant, "one")
    with Follower(tenant, 1) as follower:
        follower.read(0.1)
        own = channel(deployment.name("reader"), tenant)
        event = {"tenant_id": tenant, "seq": 2, "payload": {"text": "forged"}}
        body = f'{{"epoch":"{follower.position.epoch}","first":2,"last":2,"events":[{event}]}}'
        redis_client().publish(*FORGED[forgery](own, body.replace("'", '"')))
        assert follower.read(0.3) == []
        append(tenant, "real")
        assert read(follower, 2) == ['{"text":"real"}']


def test_an_authentic_message_that_cannot_be_read_costs_a_look_at_the_log(tenant: int) -> None:
    append(tenant, "one")
    with Follower(tenant, 0) as follower:
        follower.read(0.1)
        own = channel(deployment.name("reader"), tenant)
        key = deployment.message_keys("writer").all()[0]
        redis_client().publish(own, signed(key, own, '{"epoch":"no uuid"}'))
        append(tenant, "real")
        assert follower.position.seq == 2 or read(follower, 2)


def test_a_changed_key_is_believed_at_once(admin: psycopg.Connection[Any], tenant: int) -> None:
    with Follower(tenant) as follower:
        follower.read(0.1)
        admin.execute("update activity.deployment set old_key = key, key = sha256(key)")
        assert deployment.message_keys("writer").read_again()
        append(tenant, "real")
        assert read(follower, 1) == ['{"text":"real"}']


def test_a_head_that_is_announced_by_somebody_else_is_not_believed(tenant: int) -> None:
    with Follower(tenant) as follower:
        follower.read(0.1)
        redis_client().publish(
            channel(deployment.name("reader"), tenant), f'{{"epoch":"{uuid4()}","head":9}}'.encode()
        )
        assert follower.read(0.3) == []
        announce([(tenant, follower.position.epoch, 0)])
        assert follower.read(0.3) == []


@pytest.mark.parametrize("named", ["8", '"acme"', "null", None])
def test_a_document_that_is_not_of_its_row_does_not_enter_the_outbox(
    admin: psycopg.Connection[Any], named: str | None
) -> None:
    doc = "{}" if named is None else f'{{"tenant_id":{named}}}'
    with pytest.raises(psycopg.errors.CheckViolation, match="doc_is_of_its_workspace"):
        admin.execute("insert into activity.outbox (tenant_id, doc) values (7, %s)", (doc,))


def test_opening_a_message_asks_nobody_so_that_a_flood_of_foreign_ones_stalls_no_stream(
    tenant: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    subscription = Subscription()

    def asked(*_: object) -> None:
        raise AssertionError("the database was asked")

    monkeypatch.setattr("db.log.deployment.begin", asked)
    assert subscription.opened(subscription.channel(tenant), b"foreign") is None
    assert subscription.opened_anew(subscription.channel(tenant), b"foreign") is None, "read just now"


def test_a_restored_backup_is_a_deployment_of_its_own_whose_followers_begin_anew(tenant: int) -> None:
    append(tenant)
    name, key = deployment.name("reader"), deployment.message_keys("reader").all()[0]
    with begin("reader", tenant) as session:
        before = heads.head(session, tenant)
    assert "1 logs have a new epoch" in activity("restored")
    forget()
    with begin("reader", tenant) as session:
        after = heads.head(session, tenant)
    assert after.seq == before.seq
    assert after.epoch != before.epoch
    assert deployment.name("reader") != name
    assert key not in deployment.message_keys("reader").all()
    activity("verify")
