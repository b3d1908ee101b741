"""Limits of a mailbox or a workspace: so many a minute and a day, and so long between two."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo

_MINUTE = timedelta(minutes=1)


@dataclass
class Quota:
    """What may be sent now.

    `recent` holds the sends of the last minute, so that the limit holds in any 60 seconds, not by the clock.
    """

    per_minute: int | None
    per_day: int | None
    recent: Sequence[datetime]
    day: date | None
    day_count: int
    queue_at: datetime | None = None
    next_at: datetime | None = None
    spacing: timedelta = timedelta()
    jitter: float = 0.0
    zone: tzinfo = UTC
    whose: str = "mailbox"

    def refusal(self, now: datetime) -> tuple[datetime, str] | None:
        """Return until when to wait and why, or None where a mail may go now."""
        self.recent = [moment for moment in self.recent if moment > now - _MINUTE]
        today = now.astimezone(self.zone).date()
        if self.per_day is not None and self.day == today and self.day_count >= self.per_day:
            return self._queued(self._midnight_after(today)), f"{self.whose}: limit of {self.per_day} a day"
        if self.per_minute is not None and len(self.recent) >= self.per_minute:
            free_at = self.recent[-self.per_minute] + _MINUTE
            return self._queued(free_at), f"{self.whose}: limit of {self.per_minute} a minute"
        if self.next_at is not None and now < self.next_at:
            return self._queued(self.next_at), f"{self.whose}: spacing"
        return None

    def count(self, now: datetime) -> None:
        """Count a mail."""
        today = now.astimezone(self.zone).date()
        self.day_count = self.day_count + 1 if self.day == today else 1
        self.day = today
        if self.per_minute is not None:
            self.recent = [*self.recent, now]
        if self.spacing:
            chance = random.random()  # noqa: S311  # no secret: it only looks less like a machine
            self.next_at = now + self.spacing * (1 + chance * self.jitter)

    def _midnight_after(self, day: date) -> datetime:
        midnight = datetime.combine(day + timedelta(days=1), datetime.min.time(), self.zone)
        return midnight.astimezone(UTC)

    def _queued(self, earliest: datetime) -> datetime:
        """Return a turn behind those that wait already.

        So they come back one by one, and not all at once to be refused again.
        """
        turn = earliest if self.queue_at is None else max(earliest, self.queue_at)
        a_minute = _MINUTE / self.per_minute if self.per_minute else timedelta()
        self.queue_at = turn + max(self.spacing * (1 + self.jitter), a_minute)
        return turn
