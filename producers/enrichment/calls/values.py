"""What a value of each type may be: a provider that answers something else has failed."""

import math
import re

from activity.errors import ActivityError

_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_URL = re.compile(r"https?://[^\s\"<>]+")
MAX_TEXT, MAX_ITEMS, MAX_ITEM = 1000, 50, 100


class InvalidValue(ActivityError):
    """A value that its field cannot hold; the message names what was expected."""


def checked(type_: str, value: object) -> object:
    """Return the value as it is stored, or None where it is empty. Raises InvalidValue."""
    if value is None or value == "" or value == []:
        return None
    return _CHECKS[type_](value)


def _text(value: object, limit: int = MAX_TEXT) -> str | None:
    if not isinstance(value, str):
        raise InvalidValue(f"expected text, got {_kind(value)}")
    if len(value) > limit or _UNPRINTABLE.search(value):
        raise InvalidValue(f"expected at most {limit} printable characters")
    return value.strip() or None


def _url(value: object) -> str | None:
    text = _text(value)
    if text is not None and not _URL.fullmatch(text):
        raise InvalidValue("expected a web address")
    return text


def _number(value: object) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidValue(f"expected a number, got {_kind(value)}")
    if not math.isfinite(value) or abs(value) > 1e15:
        raise InvalidValue("expected a number within 1e15")
    return value


def _integer(value: object) -> int:
    number = _number(value)
    if number != int(number):
        raise InvalidValue(f"expected a whole number, got {number}")
    return int(number)


def _boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise InvalidValue(f"expected true or false, got {_kind(value)}")
    return value


def _list(value: object) -> list[str] | None:
    if not isinstance(value, list) or len(value) > MAX_ITEMS:
        raise InvalidValue(f"expected a list of at most {MAX_ITEMS} texts, got {_kind(value)}")
    items = {text: None for item in value if (text := _text(item, MAX_ITEM)) is not None}
    return sorted(items) or None


_KINDS = {
    bool: "true or false",
    int: "a number",
    float: "a number",
    str: "text",
    list: "a list",
    dict: "an object",
}


def _kind(value: object) -> str:
    return _KINDS.get(type(value), type(value).__name__)


_CHECKS = {
    "text": _text,
    "url": _url,
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
    "list": _list,
}
