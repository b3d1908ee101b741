"""RFC 8785 (JSON Canonicalization Scheme): the one text of a payload, so that its hash can be recomputed."""

import math
from typing import Any

import msgspec
import rfc8785

from activity.errors import InvalidEvent

MAX_BYTES = 65_536
MAX_DEPTH = 32
MAX_INTEGER = 2**53 - 1  # beyond it a double, and so most JSON readers, would change the number

_encode = msgspec.json.Encoder(order="sorted").encode


def canonical(value: Any, name: str = "payload") -> bytes:
    """Return the RFC 8785 text of a JSON value. Raises InvalidEvent with the place of a fault."""
    plain = _check(value, name, 0)
    try:
        text = _encode(value) if plain else rfc8785.dumps(value)
    except (UnicodeEncodeError, rfc8785.CanonicalizationError):  # numbers were checked: it is a text
        raise InvalidEvent(
            name,
            "a text holds a lone surrogate",
            "decode it properly first; only whole characters can be stored",
        ) from None
    if len(text) > MAX_BYTES:
        raise InvalidEvent(
            name,
            f"{len(text):,} bytes of JSON",
            f"at most {MAX_BYTES:,} (64 KiB): store the rest elsewhere and link to it",
        )
    return text


def _check(value: Any, path: str, depth: int) -> bool:
    """Check a JSON value; return whether msgspec's sorted text of it is RFC 8785 (no floats, ASCII keys)."""
    kind = type(value)
    if kind is str:
        if "\0" in value:
            raise InvalidEvent(path, "holds a NUL character", "remove it: PostgreSQL can't store U+0000")
        return True
    if value is None or kind is bool:
        return True
    if kind is int:
        if not -MAX_INTEGER <= value <= MAX_INTEGER:
            raise InvalidEvent(path, f"the integer {value} is beyond 2^53", "give it as a string")
        return True
    if kind is float:
        if not math.isfinite(value):
            raise InvalidEvent(path, f"{value} is not a JSON number", "leave the field out, or use null")
        return False
    if depth >= MAX_DEPTH:
        raise InvalidEvent(path, f"nested more than {MAX_DEPTH} deep", "flatten it")
    if kind is dict:
        return _check_members(value, path, depth)
    if kind is list or kind is tuple:
        plain = [_check(item, f"{path}[{n}]", depth + 1) for n, item in enumerate(value)]
        return all(plain)  # of a list, since all() of a generator would stop checking at the first float
    raise InvalidEvent(
        path, f"{kind.__name__} is not JSON", "give text, a number, true, false, null, a list or a mapping"
    )


def _check_members(value: dict[object, object], path: str, depth: int) -> bool:
    plain = True
    for key, item in value.items():
        if type(key) is not str:
            raise InvalidEvent(path, f"the key {key!r} is not text", "JSON keys are text")
        if "\0" in key:
            raise InvalidEvent(path, f"the key {key!r} holds a NUL character", "remove it")
        # Only ASCII keys surely sort alike by code point (msgspec) and by UTF-16 unit (RFC 8785).
        plain &= key.isascii()
        plain &= _check(item, f"{path}.{key}", depth + 1)
    return plain
