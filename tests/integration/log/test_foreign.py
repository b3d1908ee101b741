"""Whatever shape a foreign program's message has, all of it is kept, and it proves its workspace."""

import json
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from activity.settings import settings
from db import access
from db.engine import begin
from worker.append import append_batch
from worker.foreign import accept


def event(**more: Any) -> dict[str, Any]:
    return {"type": "note.added", "source": "crm", "account_id": "acme", "payload": {"text": "secret"}} | more


def rejected(admin: psycopg.Connection[Any]) -> list[tuple[Any, ...]]:
    return admin.execute("select doc, reason from activity.rejected order by id").fetchall()


SHAPES: dict[str, tuple[list[Any], dict[str, Any]]] = {
    "one event instead of a list": ([], {"events": event()}),
    "text": ([], {"events": json.dumps([event()])}),
    "a number": ([], {"events": 5}),
    "nothing": ([], {"events": None}),
    "a misspelt name": ([], {"event": [event()]}),
    "a name too much": ([], {"events": [event()], "tenant": 1}),
    "one event by position": ([event()], {}),
    "text by position": (["text"], {}),
    "events twice": ([[event()]], {"events": [event()]}),
    "an argument too much": ([[event()], None, 3], {}),
    "two events by position": ([event(), event()], {}),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_message_of_another_shape_is_kept_whole_as_one_row(
    admin: psycopg.Connection[Any], tenant: int, shape: str, capsys: pytest.CaptureFixture[str]
) -> None:
    args, kwargs = SHAPES[shape]
    assert accept(args, kwargs, "message-1") == "0 emitted, 1 refused; "
    ((doc, reason),) = rejected(admin)
    kept = json.loads(doc)
    assert (kept["args"], kept["kwargs"]) == (args, kwargs)
    assert "events" in reason
    assert "secret" not in reason + capsys.readouterr().out


@pytest.mark.parametrize("by_position", [True, False])
def test_a_list_of_objects_is_emitted_by_position_and_by_name(tenant: int, by_position: bool) -> None:
    events = [event(tenant_id=tenant)]
    told = accept([events], {}, "m") if by_position else accept([], {"events": events}, "m")
    assert told == "1 emitted, 0 refused; "
    assert append_batch(10) == {"appended": 1}


@pytest.fixture
def untrusted(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A deployment that does not trust its broker."""
    monkeypatch.setenv("ACTIVITY_TRUST_BROKER", "false")
    settings.cache_clear()


def make_key(tenant: int, *scopes: str) -> str:
    key = access.new_key()
    with begin("producer", tenant) as session:
        access.add_key(session, tenant, key, "foreign", scopes)
    return key


@pytest.mark.usefixtures("untrusted")
def test_a_key_proves_the_workspace_which_need_not_be_named(
    admin: psycopg.Connection[Any], tenant: int
) -> None:
    key = make_key(tenant, "write")
    assert accept([], {"events": [event()], "key": key}, "m") == "1 emitted, 0 refused; "
    assert append_batch(10) == {"appended": 1}
    assert admin.execute("select tenant_id from activity.event").fetchall() == [(tenant,)]


@pytest.mark.usefixtures("untrusted")
@pytest.mark.parametrize("key", [None, "act_guessed", 7, ["act_x"]])
def test_a_message_without_a_live_key_writes_nothing_and_is_kept(
    admin: psycopg.Connection[Any], tenant: int, key: Any
) -> None:
    message = {"events": [event(tenant_id=tenant)]} | ({} if key is None else {"key": key})
    assert accept([], message, "m") == "0 emitted, 1 refused; "
    ((doc, reason),) = rejected(admin)
    assert "key" in reason
    assert "act_" not in doc + reason
    assert not append_batch(10)


@pytest.mark.usefixtures("untrusted")
def test_a_key_that_may_only_read_or_is_revoked_proves_nothing(tenant: int) -> None:
    for key in (make_key(tenant, "read"), revoked := make_key(tenant, "write")):
        if key is revoked:
            with begin("producer", tenant) as session:
                access.revoke_key(session, tenant, max(one.id for one in access.list_keys(session, tenant)))
        assert accept([[event()], key], {}, "m") == "0 emitted, 1 refused; "


@pytest.mark.usefixtures("untrusted")
def test_a_key_does_not_open_another_workspace(
    admin: psycopg.Connection[Any], tenant: int, make_tenant: Callable[[], int]
) -> None:
    events = [event(tenant_id=make_tenant()), event()]
    assert accept([events, make_key(tenant, "write")], {}, "m") == "1 emitted, 1 refused; "
    assert "another workspace" in rejected(admin)[0][1]
