"""Read a report by a table: where in a provider's object each field of a MailEvent is found."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from producers.mail import reading
from producers.mail.event import BounceType, MailEvent, ReportKind

# Field of MailEvent -> key, or keys of which the first that holds something counts; a/b is the key b of the
# object a.
Fields = Mapping[str, str | tuple[str, ...]]

# Why a mail is rejected where the kind alone tells.
REJECT_REASONS: Mapping[ReportKind, str] = {
    "bounced": "bounced",
    "complained": "spam",
    "unsubscribed": "unsubscribed",
}


_OF_THE_MAIL = ("queued", "sent", "delivered", "deferred")


def _first(read: Callable[[Any], Any]) -> Callable[..., Any]:
    return lambda *values: next((found for value in values if (found := read(value))), read(None))


_READERS: Mapping[str, Callable[..., Any]] = {
    "header_id": _first(reading.clean_id),
    "occurred_at": reading.moment,
    "tags": _first(reading.texts),
    "metadata": _first(reading.object_of),
}
_READ_TEXT = _first(reading.text)


def mail_event(
    kinds: Mapping[str, ReportKind], name: str, item: Mapping[str, object], fields: Fields, **given: object
) -> MailEvent:
    """Return the event of a report that the provider calls `name`; what is given comes before what is read.

    Unless it is read or given, the status is the one in the reason.
    """
    read = {field: _read(item, field, paths) for field, paths in fields.items()} | given
    read.setdefault("kind", reading.kind_of(kinds, name))
    read.setdefault("status", reading.status_of(read.get("reason")))
    return MailEvent(name=name, **read)


def whom(kind: ReportKind, addressed: Sequence[str]) -> tuple[str | None, ...]:
    """Return whom a report is about: all of a mail's recipients, of what happened to the mail.

    What one of several did, or was refused, is nobody's where the report does not say whose.
    """
    if not addressed or (len(addressed) > 1 and kind not in _OF_THE_MAIL):
        return (None,)
    return tuple(addressed)


def _read(item: Mapping[str, Any], field: str, paths: str | tuple[str, ...]) -> Any:
    read = _READERS.get(field, _READ_TEXT)
    return read(*(at(item, path) for path in ((paths,) if isinstance(paths, str) else paths)))


def at(item: object, path: str) -> object:
    """Return what is at a path of keys; None where there is nothing."""
    for key in path.split("/"):
        item = reading.object_of(item).get(key)
    return item


def text_at(item: Mapping[str, object], *paths: str) -> str | None:
    """Return the first text at some paths."""
    text: str | None = _READ_TEXT(*(at(item, path) for path in paths))
    return text


def bounce_type(kind: ReportKind, hard: bool | None) -> BounceType:
    """Return the type of a bounce; "unknown" for what is no bounce, or where `hard` is None."""
    if kind != "bounced" or hard is None:
        return "unknown"
    return "hard" if hard else "soft"
