"""Where a follower stands in one tenant's log, and what a message from pub/sub means to it. No I/O."""

from dataclasses import dataclass
from uuid import UUID

import msgspec

from activity.errors import ActivityError
from activity.event import RecordedEvent


class EpochChanged(ActivityError):
    """The log was restored or replaced: numbers from before mean nothing now.

    Read the feed anew and follow from its head.
    """


class Message(msgspec.Struct):
    """What a workspace's channel carries: events first to last, or where the log stands (head)."""

    epoch: UUID
    first: int = 0
    last: int = 0
    head: int = 0
    events: list[RecordedEvent] = []


decode_message = msgspec.json.Decoder(Message).decode


@dataclass
class Position:
    """Everything up to `seq` was delivered."""

    tenant_id: int
    epoch: UUID
    seq: int

    def hear(self, body: bytes) -> list[RecordedEvent] | None:
        """Return what an authentic message delivers, as `take` does; None also where it cannot be read."""
        try:
            message = decode_message(body)
        except (ValueError, RecursionError):
            return None  # a document that the log took and not every reader of JSON agrees on
        return self.take(message)

    def take(self, message: Message) -> list[RecordedEvent] | None:
        """Return the events of a message that are new and next, and move past them.

        None: some are missing: read the log. Raises EpochChanged.
        """
        if message.epoch != self.epoch:
            raise EpochChanged(f"epoch {self.epoch} ended")
        newest = max(message.last, message.head)
        if newest <= self.seq:
            return []
        if message.head or message.first > self.seq + 1 or not self._is_whole(message):
            return None
        events = message.events[self.seq + 1 - message.first :]
        self.seq = newest
        return events

    def _is_whole(self, message: Message) -> bool:
        """Return whether a message holds this workspace's events from its first number to its last."""
        numbers = [event.seq for event in message.events if event.tenant_id == self.tenant_id]
        return numbers == list(range(message.first, message.last + 1))
