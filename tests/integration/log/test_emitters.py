"""A login that may emit for one workspace can do that and nothing else."""

import json
from collections.abc import Callable, Iterator
from typing import Any
from uuid import NAMESPACE_OID, uuid4

import psycopg
import pytest
from psycopg.errors import CheckViolation, InsufficientPrivilege
from sqlalchemy import make_url

from activity.catalogue import CATALOGUE, SYSTEM_SOURCES, SYSTEM_TYPES
from activity.event import system_id
from db.engine import begin
from db.log import emitters
from worker.append import append_batch

EMIT = "select activity.emit(%s)"


@pytest.fixture
def login(admin: psycopg.Connection[Any], environment: dict[str, str]) -> Iterator[psycopg.Connection[Any]]:
    """A connection of a program whose login is a member of activity_emitter."""
    name = f"billing_{uuid4().hex[:8]}"
    admin.execute(f"create role {name} login password 'p' in role activity_emitter")
    url = make_url(environment["ACTIVITY_DATABASE_URL"]).set(username=name, password="p")
    with psycopg.connect(url.render_as_string(hide_password=False), autocommit=True) as connection:
        yield connection
    admin.execute(f"drop role {name}")


def doc(tenant: int) -> str:
    return json.dumps(
        {
            "event_id": str(uuid4()),
            "tenant_id": tenant,
            "type": "note.added",
            "version": 1,
            "occurred_at": "2026-03-01T10:00:00.000000Z",
            "actor": "system",
            "source": "billing",
            "account_id": "acme",
            "payload": {"text": "paid"},
        }
    )


def test_it_emits_for_its_own_workspace_once_it_is_allowed_and_until_it_is_forbidden(
    login: psycopg.Connection[Any], tenant: int
) -> None:
    with pytest.raises(InsufficientPrivilege):
        login.execute(EMIT, (doc(tenant),))
    with begin("producer", tenant) as session:
        emitters.allow(session, tenant, login.info.user)
        assert [one.login for one in emitters.list_all(session, tenant)] == [login.info.user]
    login.execute(EMIT, (doc(tenant),))
    assert append_batch(10) == {"appended": 1}
    with begin("producer", tenant) as session:
        assert emitters.forbid(session, tenant, login.info.user)
        assert not emitters.forbid(session, tenant, login.info.user)
    with pytest.raises(InsufficientPrivilege):
        login.execute(EMIT, (doc(tenant),))


def test_it_emits_for_no_other_workspace_whatever_it_sets(
    login: psycopg.Connection[Any], make_tenant: Callable[[], int]
) -> None:
    own, other = make_tenant(), make_tenant()
    with begin("producer", own) as session:
        emitters.allow(session, own, login.info.user)
    with begin("producer", other) as session, pytest.raises(emitters.EmitterConflict):
        emitters.allow(session, other, login.info.user)
    login.execute("select set_config('activity.tenant', %s, false)", (str(other),))
    login.execute("set role activity_emitter")
    with pytest.raises(CheckViolation):
        login.execute(EMIT, (doc(other),))


OF_SYSTEM = [
    *({"type": name} for name in sorted(SYSTEM_TYPES)),
    *({"source": name} for name in sorted(SYSTEM_SOURCES | {"webhook:ses"})),
    {"event_id": str(system_id(NAMESPACE_OID, "x"))},
    {"event_id": f"{{{system_id(NAMESPACE_OID, 'x').hex.upper()}}}"},
]


@pytest.mark.parametrize("more", OF_SYSTEM, ids=str)
def test_it_says_nothing_that_would_pass_for_the_systems_own(
    login: psycopg.Connection[Any], tenant: int, more: dict[str, str]
) -> None:
    with begin("producer", tenant) as session:
        emitters.allow(session, tenant, login.info.user)
    with pytest.raises(InsufficientPrivilege, match="system's own"):
        login.execute(EMIT, (json.dumps(json.loads(doc(tenant)) | more),))


def test_the_database_knows_as_the_systems_own_what_the_catalogue_does(
    admin: psycopg.Connection[Any],
) -> None:
    known = {
        name
        for name in CATALOGUE
        if admin.execute("select activity.is_of_system(%s)", (json.dumps({"type": name}),)).fetchone()
        == (True,)
    }
    assert known == SYSTEM_TYPES


@pytest.mark.parametrize(
    "statement",
    [
        "select * from activity.outbox",
        "insert into activity.outbox (tenant_id, doc) values (1, '{}')",
        "delete from activity.outbox",
        "update activity.outbox set tenant_id = 1",
        "select * from activity.event",
        "insert into activity.inbox (doc) values ('{}')",
        "insert into activity.emitter (login, tenant_id) values (session_user, 1)",
        "select * from activity.emitter",
        "select * from activity.head",
        "select * from crm.contact",
        "select * from crm.tenant",
        "select activity.message_keys()",
        "select activity.erase(1, 'c', gen_random_uuid(), 'a', null)",
        "select activity.claim(1)",
        "set role activity_producer",
        "set session authorization activity_producer",
        "create table activity.mine (n int)",
        "create temporary table mine (n int)",
    ],
)
def test_it_can_do_nothing_else(login: psycopg.Connection[Any], tenant: int, statement: str) -> None:
    with begin("producer", tenant) as session:
        emitters.allow(session, tenant, login.info.user)
    with pytest.raises(InsufficientPrivilege):
        login.execute(statement)
