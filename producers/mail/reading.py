"""Read what providers send.

JSON or forms, times in seconds, milliseconds or ISO, values that change their type.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from email.message import Message
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from producers.mail.event import ReportKind
from producers.mail.webhooks.request import InvalidReport, Request

MILLISECONDS = 10**11  # seconds reach this in the year 5138, milliseconds did in 1973
_FRACTION = re.compile(r"(\.\d{6})\d+")
_STATUS = re.compile(r"(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?![\d.])")
_CODE = re.compile(r"(?<![\d.])([245]\d\d)(?![\d.])")


def json_of(body: bytes | str) -> Any:
    """Return what a JSON text holds. Raises InvalidReport."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidReport(f"the body is not JSON: {error}") from None


def object_of(value: object) -> Mapping[str, object]:
    """Return the value where it is an object, else an empty one: providers leave parts out, or send null."""
    return value if isinstance(value, dict) else {}


def objects_of(value: object) -> list[Mapping[str, object]]:
    """Return the objects of a list, or the object itself as a list of one."""
    return [item for item in (value if isinstance(value, list) else [value]) if isinstance(item, dict)]


def object_in(value: object) -> Mapping[str, object]:
    """Return the object that a text holds as JSON, else an empty one.

    Raises InvalidReport for a broken one.
    """
    found = text(value)
    return object_of(json_of(found)) if found and found.startswith("{") else {}


def form_of(request: Request) -> list[tuple[str, str]]:
    """Return the fields of a form in their order, urlencoded or multipart. Raises InvalidReport."""
    kind = request.headers.get("content-type", "")
    if "multipart/form-data" in kind:
        head = b"Content-Type: " + kind.encode("latin-1", "replace") + b"\r\n\r\n"
        form = BytesParser(policy=HTTP).parsebytes(head + request.body)
        parts = form.iter_parts() if form.is_multipart() else ()
        named = ((part.get_param("name", header="content-disposition"), part) for part in parts)
        return [(str(name), _content(part)) for name, part in named if name]
    try:
        return parse_qsl(request.body.decode(), keep_blank_values=True, max_num_fields=1000)
    except ValueError as error:
        raise InvalidReport(f"the body is not a form: {error}") from None


def _content(part: Message) -> str:
    content = part.get_payload(decode=True)
    return content.decode("utf-8", "replace") if isinstance(content, bytes) else ""


def text(value: object) -> str | None:
    """Return a value as text; None where it is empty or not a plain value."""
    if value is None or isinstance(value, (dict, list, bool)):
        return None
    return str(value).strip() or None


def texts(value: object) -> tuple[str, ...]:
    """Return what may be one text or a list of them."""
    return tuple(item for item in map(text, value if isinstance(value, list) else [value]) if item)


def moment(*values: object) -> datetime | None:
    """Return the first of some values that is a time, in UTC where it has no zone.

    It may be in seconds, in milliseconds, or in ISO with any number of digits.
    """
    for value in values:
        found = _moment(value)
        if found is not None:
            return found
    return None


def _moment(value: Any) -> datetime | None:
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return _iso(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value <= 0:
        return None
    try:
        return datetime.fromtimestamp(value / 1000 if value >= MILLISECONDS else value, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _iso(value: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(_FRACTION.sub(r"\1", value.strip()))
    except ValueError:
        return None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)


def digest(value: object) -> str:
    """Return a name for a report that is the same in every repeat."""
    return hashlib.sha256(msgspec.json.encode(value, order="deterministic")).hexdigest()


def identity(*parts: object) -> str:
    """Return the parts of an event's identity as one text."""
    return msgspec.json.encode([str(part) if part is not None else "" for part in parts]).decode()


def status_of(*answers: str | None) -> str | None:
    """Return the enhanced status code (5.1.1) in what a mail server answered."""
    return next((match[1] for answer in answers if answer and (match := _STATUS.search(answer))), None)


def is_permanent(*answers: str | None) -> bool | None:
    """Return whether a mail server's answer is a 5xx; None where it names no code."""
    for answer in answers:
        for pattern in (_STATUS, _CODE):
            if answer and (match := pattern.search(answer)):
                return match[1].startswith("5")
    return None


def clean_id(value: object) -> str | None:
    """Return a Message-ID with its angle brackets."""
    found = text(value)
    if found is None or "@" not in found:
        return found
    return found if found.startswith("<") else f"<{found}>"


def header_id(value: object) -> str | None:
    """Return a Message-ID with its angle brackets; None for any other id."""
    found = clean_id(value)
    return found if found and "@" in found else None


def kind_of(kinds: Mapping[str, ReportKind], name: object) -> ReportKind:
    """Return the kind that a provider's word means; "unknown" for a word that is not known."""
    return kinds.get(str(name), "unknown")


def pick(item: Mapping[str, object], leave_out: Iterable[str]) -> dict[str, object]:
    """Return what the sender added to an event: everything but the provider's own fields."""
    left = set(leave_out)
    return {name: value for name, value in item.items() if name not in left}
