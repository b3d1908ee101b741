"""An event before and after the log took it: a producer emits an Event, the log stores a RecordedEvent."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid5

import msgspec
from uuid_utils.compat import uuid7


def _now() -> datetime:
    return datetime.now(UTC)


def system_id(namespace: UUID, name: str) -> UUID:
    """Return the one id of an event that the system makes of a name: the same on every call.

    It is a UUID of version 8. No event from outside may have such an id, or whoever can guess the name would
    take the id first, and the log would refuse the real event.
    """
    bits = uuid5(namespace, name).int
    return UUID(int=bits & ~(0xF << 76) | 8 << 76)


class Event(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What happened, as its producer describes it. Nothing is checked before `activity.validation.encode`.

    `event_id` is the producer's idempotency key forever: make it when the thing happens (the default, a
    uuid7), or derive it with uuid5 from a provider's id. `tenant_id` is the workspace. At least one of
    account, contact and record must be given.
    """

    tenant_id: int
    type: str
    payload: Any  # a mapping, or the payload struct of the type; with the names that its summary shows
    source: str
    actor: str = "system"
    account_id: str | None = None
    contact_id: str | None = None
    record_type: str | None = None
    record_id: str | None = None
    cause_id: UUID | None = None
    version: int = 1
    occurred_at: datetime = msgspec.field(default_factory=_now)
    event_id: UUID = msgspec.field(default_factory=uuid7)


class RecordedEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event as the log holds it and as it travels: on pub/sub, over HTTP, to a follower.

    `seq` is the event's gapless number in its workspace, in commit order. `payload` is RFC 8785 text, decoded
    only where a field of it is needed; null once the person it was about was erased.
    """

    tenant_id: int
    seq: int
    event_id: UUID
    type: str
    version: int
    occurred_at: datetime
    recorded_at: datetime
    actor: str
    source: str
    account_id: str | None = None
    contact_id: str | None = None
    record_type: str | None = None
    record_id: str | None = None
    cause_id: UUID | None = None
    payload: msgspec.Raw = msgspec.Raw(b"null")

    @property
    def is_erased(self) -> bool:
        """Whether its content is gone."""
        return bytes(self.payload) == b"null"

    def fields(self) -> dict[str, object]:
        """Return what the payload holds, decoded; nothing where it was erased.

        Nothing either where it is JSON that PostgreSQL takes and we cannot decode, from a program that writes
        SQL: nested a thousand deep, or with a number beyond a double. One event must not stop who follows.
        """
        try:
            found = msgspec.json.decode(self.payload)
        except (msgspec.DecodeError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}
