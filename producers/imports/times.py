"""Times of a file: how they are written is stated in the mapping, never guessed."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from zoneinfo import ZoneInfo

import msgspec

from producers.imports.errors import InvalidMapping, RowRejected
from producers.imports.section import Section

ReadTime = Callable[[str], datetime]
KEYS = "format zone epoch"
_UNITS = {"seconds": Decimal(1_000_000), "milliseconds": Decimal(1_000)}
_UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def compile_time(section: Section) -> ReadTime:
    """Return what reads a time as [times.NAME] states.

    `format` is rfc3339, seconds, milliseconds, or a strptime pattern. A pattern without %z needs a `zone`,
    by its IANA name; seconds and milliseconds count from `epoch`, by default 1970.
    """
    form = section.required("format", str)
    if form in _UNITS:
        return _counted(section, _UNITS[form])
    if "epoch" in section:
        raise InvalidMapping(section.name("epoch"), "only seconds and milliseconds count from an epoch")
    if form == "rfc3339":
        if "zone" in section:
            raise InvalidMapping(
                section.name("zone"), "an RFC 3339 time carries its own zone: remove this key"
            )
        return rfc3339
    if "%" not in form:
        raise InvalidMapping(
            section.name("format"),
            f"{form!r} is none of rfc3339, seconds, milliseconds, nor a pattern such as %Y-%m-%d %H:%M:%S",
        )
    return _patterned(form, None if "%z" in form else _zone(section))


def rfc3339(text: str) -> datetime:
    """Read an RFC 3339 time, which has a zone. Raises RowRejected."""
    try:
        moment = msgspec.convert(text, datetime)
    except msgspec.ValidationError:
        raise RowRejected(f"{text!r:.60} is not an RFC 3339 time, such as 2026-01-31T09:30:00Z") from None
    if moment.tzinfo is None:
        raise RowRejected(f"{text!r:.60} has no zone; a zone is never guessed")
    return moment


def _zone(section: Section) -> ZoneInfo:
    name = section.optional("zone", str, "")
    if not name:
        raise InvalidMapping(
            section.name("zone"),
            "missing; a pattern without %z needs the zone its times are in, such as UTC or Europe/Berlin",
        )
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise InvalidMapping(
            section.name("zone"), f"{name!r} is not an IANA time zone, such as UTC or Europe/Berlin"
        ) from None


def _patterned(form: str, zone: ZoneInfo | None) -> ReadTime:
    def read(text: str) -> datetime:
        try:
            moment = datetime.strptime(text, form)  # noqa: DTZ007  # the stated zone follows
        except ValueError:
            raise RowRejected(f"{text!r:.60} is not written as {form}") from None
        return moment if zone is None else moment.replace(tzinfo=zone)

    return read


def _counted(section: Section, microseconds: Decimal) -> ReadTime:
    if "zone" in section:
        raise InvalidMapping(section.name("zone"), "a count from an epoch has no zone: remove this key")
    try:
        epoch = rfc3339(section.required("epoch", str)) if "epoch" in section else _UNIX_EPOCH
    except RowRejected as error:
        raise InvalidMapping(section.name("epoch"), str(error)) from None

    def read(text: str) -> datetime:
        try:
            return epoch + timedelta(microseconds=int(Decimal(text) * microseconds))
        except (InvalidOperation, OverflowError, ValueError):
            raise RowRejected(f"{text!r:.60} is not a count of {section.values['format']}") from None

    return read
