"""The door for programs that share only the broker with us: `activity.append` with `events`.

Such a message is the only copy of what it says, so whatever shape it has, all of it is kept: valid events
wait in the outbox, everything else is parked whole, with the reason. Whoever may write to the broker can send
anything, so a message proves with a workspace's key which workspace it is from, unless the deployment trusts
its broker.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from uuid import NAMESPACE_OID, uuid5

from celery.worker.request import Request

from activity.errors import ActivityError, InvalidEvent
from activity.settings import settings
from activity.validation import check_outsider, decode, encode
from db import access
from db.engine import EVERY_TENANT, begin
from db.log import outbox
from db.log.rejected import park

NAMES = ("events", "key")


class InvalidMessage(ActivityError):
    """A message of which no event can be read, or whose workspace is not proved."""


class _Judged(NamedTuple):
    valid: list[tuple[int, str]]
    rejected: list[tuple[int | None, str, str]]  # workspace, document, reason


class QuietRequest(Request):  # type: ignore[misc]  # celery has no types
    """A message as the worker tells others of it: without its events, which name people."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self._argsrepr: str | None
        self._kwargsrepr: str | None
        self._argsrepr, self._kwargsrepr = shown(self._argsrepr), shown(self._kwargsrepr)


def shown(described: str | None) -> str | None:
    """Return the line that a message's sender describes it with, or that it has none.

    Where the sender gave no line, Celery makes one of the arguments themselves, in brackets.
    """
    bare = (described or "").strip()
    return "(events, not shown)" if bare[:1] in {"(", "[", "{"} and len(bare) > 2 else described


def accept(args: Sequence[object], kwargs: Mapping[str, object], message_id: str) -> str:
    """Emit the events of a message and park what is invalid; on return all of it is durable.

    An event without an id is given one of the message's, so that a message that is delivered again adds
    nothing.
    """
    try:
        events, key = _arguments(args, kwargs)
        judged = _judge(events, _workspace(key), message_id)
    except InvalidMessage as fault:
        judged = _Judged([], [(None, json.dumps(_without_key(args, kwargs)), str(fault))])
    if judged.valid:
        with begin("producer") as session:
            outbox.put(session, judged.valid)
    if judged.rejected:
        with begin("writer") as session:
            for tenant_id, doc, reason in judged.rejected:
                park(session, tenant_id, doc, reason)
    return f"{len(judged.valid)} emitted, {len(judged.rejected)} refused; "


def _without_key(args: Sequence[object], kwargs: Mapping[str, object]) -> dict[str, object]:
    """Return a message's arguments but for its key; what is no text in the key's position is content."""
    place = NAMES.index("key")
    return {
        "args": [given for n, given in enumerate(args) if n != place or not isinstance(given, str)],
        "kwargs": {name: kwargs[name] for name in kwargs if name != "key"},
    }


def _arguments(args: Sequence[object], kwargs: Mapping[str, object]) -> tuple[list[object], object]:
    """Return the events and the key, by position or by name. Raises InvalidMessage."""
    given = dict(zip(NAMES, args, strict=False))
    if len(args) > len(NAMES) or given.keys() & kwargs.keys() or kwargs.keys() - set(NAMES):
        raise InvalidMessage("the message's arguments are `events`, a list of objects, and `key`")
    given |= kwargs
    events = given.get("events")
    if not isinstance(events, list):
        raise InvalidMessage(f"`events` is not a list of objects but {_kind(events)}")
    return events, given.get("key")


def _kind(value: object) -> str:
    return {dict: "an object", str: "text", type(None): "nothing"}.get(type(value), "another value")


def _workspace(key: object) -> int | None:
    """Return the workspace that the key proves; None where any is believed. Raises InvalidMessage."""
    if key is None:
        if settings().trust_broker:
            return None
        raise InvalidMessage("the message has no `key`: give it one of the workspace, with the scope write")
    if isinstance(key, str):
        with begin("producer", EVERY_TENANT) as session:
            found = access.use_key(session, key)
        if found is not None and "write" in found.scopes:
            return found.tenant_id
    raise InvalidMessage("the message's `key` is not a live key with the scope write")


def _judge(events: Sequence[object], workspace: int | None, message_id: str) -> _Judged:
    judged = _Judged([], [])
    for n, item in enumerate(events):
        try:
            judged.valid.append(_document(item, workspace, f"{message_id}/{n}"))
        except InvalidEvent as fault:
            # json.dumps writes ASCII, so that whatever text is in it can be kept.
            judged.rejected.append((workspace, json.dumps(item), str(fault)))
    return judged


def _document(item: Any, workspace: int | None, name: str) -> tuple[int, str]:
    """Return the workspace and the outbox document of an item. Raises InvalidEvent."""
    if isinstance(item, dict):
        filled = {"event_id": str(uuid5(NAMESPACE_OID, name))}
        item = filled | ({} if workspace is None else {"tenant_id": workspace}) | item
    event = decode(item)
    check_outsider(event)
    if workspace is not None and event.tenant_id != workspace:
        raise InvalidEvent("tenant_id", "the message's key is of another workspace", f"give {workspace}")
    return event.tenant_id, encode(event)
