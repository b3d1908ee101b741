"""Where a follower stands in one tenant's log, and what a message from pub/sub means to it. No I/O."""

from dataclasses import dataclass
from uuid import UUID

import msgspec

from activity.errors import ActivityError
from activity.event import RecordedEvent


class EpochChanged(ActivityError):
    """The log was restored or replaced: numbers from before mean nothing now. Read the feed anew and follow from its head."""


class Message(msgspec.Struct):
    """What the channel activity:{tenant} carries: events first to last, or where the log stands (head)."""

    epoch: UUID
    first: int = 0
    last: int = 0
    head: int = 0
    events: list[RecordedEvent] = []


decode_message = msgspec.json.Decoder(Message).decode


@dataclass
class Position:
    """Everything up to `seq` was delivered."""

    epoch: UUID
    seq: int

    def take(self, message: Message) -> list[RecordedEvent] | None:
        """Return the events of a message that are new and next, and move past them; None says that some are missing: read the log."""
        if message.epoch != self.epoch:
            raise EpochChanged(f"epoch {self.epoch} ended")
        newest = max(message.last, message.head)
        if newest <= self.seq:
            return []
        if message.head or message.first > self.seq + 1:
            return None
        events = [event for event in message.events if event.seq > self.seq]
        self.seq = newest
        return events
