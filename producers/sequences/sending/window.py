"""When mail may go out: days and hours by the wall clock of a zone, whatever daylight saving does to it."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, available_timezones

import msgspec
from msgspec import Meta

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
_DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_Clock = Annotated[str, Meta(pattern=r"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$")]


class Window(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The days and hours in which mail may go out.

    They are by the contact's clock where its zone is known, else by the mailbox's.
    """

    days: Annotated[tuple[Day, ...], Meta(min_length=1)] = _DAYS[:5]
    start: _Clock = "09:00"
    end: _Clock = "17:00"

    def __post_init__(self) -> None:
        """Refuse a window that is never open."""
        if self.start >= self.end:
            raise ValueError(
                f"a window ends after it starts, on the same day: {self.start} to {self.end} does not"
            )

    def opens(self, now: datetime, zone: ZoneInfo) -> datetime:
        """Return `now` if the window is open then, else the next moment at which it opens."""
        local = now.astimezone(zone)
        for day in (local.date() + timedelta(days=ahead) for ahead in range(9)):
            start, end = _moment(day, self.start, zone), _moment(day, self.end, zone)
            if _DAYS[day.weekday()] in self.days and now < end and start < end:
                return max(now, start)
        raise AssertionError("unreachable: a window opens at least once in nine days")


def _moment(day: date, clock: str, zone: ZoneInfo) -> datetime:
    """Return when a wall clock shows this.

    For a time that the clock skips, the moment of the skip or later.
    """
    if clock == "24:00":
        day, clock = day + timedelta(days=1), "00:00"
    return datetime.combine(day, time.fromisoformat(clock), zone).astimezone(UTC)


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def known_zone(name: object) -> bool:
    """Return whether a name is an IANA time zone, such as Europe/Berlin."""
    return isinstance(name, str) and name in _zones()


def zone_of(names: Iterable[object]) -> ZoneInfo:
    """Return the zone of the first name that is a time zone, else UTC."""
    return ZoneInfo(next((str(name) for name in names if known_zone(name)), "UTC"))
