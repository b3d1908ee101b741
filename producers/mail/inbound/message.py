"""Read the parts, headers and text of a mail, however broken. Nothing here raises."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from email import message_from_bytes
from email.errors import MessageError
from email.header import decode_header
from email.message import Message
from email.utils import parsedate_to_datetime

from selectolax.lexbor import LexborHTMLParser

from activity.address import mailboxes
from producers.untrusted_html import too_deep

_MAX_BYTES = 250_000  # that are looked at: a text precedes what is attached, a report the mail it is about
_MAX_CHARACTERS = 30_000  # of a mail's text that are looked at
_MAX_HEADER = 10_000  # bytes of a header
_MAX_PARTS = 200
_LINE = re.compile(".{1,998}")  # RFC 5322, 2.1.1
_ENCODED = r"=\?[^?\s]+\?[bq]\?[^?]*\?="
_WORDS = re.compile(rf"{_ENCODED}(?:\s+{_ENCODED})*", re.IGNORECASE)  # what is encoded in a row is one text
_TAG = re.compile(r"<[^<>]*>")
_ID = re.compile(r"<[^<>\s@]+@[^<>\s]+>|<[^<>\s@]{3,}>")


def parse(raw: bytes) -> Message:
    """Return a mail, as much of it as is looked at."""
    return message_from_bytes(raw.lstrip(b"\r\n")[:_MAX_BYTES])


def parts_of(message: Message) -> list[Message]:
    """Return a mail and the parts in it."""
    return [part for _, part in zip(range(_MAX_PARTS), message.walk(), strict=False)]


def header(message: Message, name: str) -> str:
    """Return a header's text, as much of it as can be read."""
    return _in_words(_written(message, name))


def people(message: Message, name: str) -> list[tuple[str, str]]:
    """Return (name, address) of whom a header lists: it is parsed, then its names are decoded (RFC 2047)."""
    return [(_in_words(who), address) for who, address in mailboxes(_written(message, name))]


def _written(message: Message, name: str) -> str:
    """Return a header as it was written, in UTF-8 (RFC 6532), else in what came before it."""
    value = next((str(one) for key, one in message.raw_items() if key.lower() == name.lower()), "")
    raw = value.encode("utf-8", "surrogateescape")[:_MAX_HEADER]
    try:
        return raw.decode().replace("\x00", "")
    except UnicodeDecodeError:
        return raw.decode("latin-1").replace("\x00", "")


def _in_words(text: str) -> str:
    return " ".join(_WORDS.sub(_decoded_words, text).replace("\x00", "").split())


def _decoded_words(words: re.Match[str]) -> str:
    try:
        found = [(part, charset or "ascii") for part, charset in decode_header(words[0])]
        text = "".join(part if isinstance(part, str) else part.decode(charset) for part, charset in found)
    except (MessageError, LookupError, ValueError):
        return words[0]
    return text.encode("utf-8", "replace").decode()


def ids(value: str) -> list[str]:
    """Return the Message-IDs in a header, each once."""
    return list(dict.fromkeys(_ID.findall(value)))[:100]


def date(message: Message) -> datetime | None:
    """Return when a mail says it was written; in UTC where it names no zone."""
    try:
        found = parsedate_to_datetime(header(message, "Date"))
    except (ValueError, TypeError, IndexError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def text_of(parts: Sequence[Message]) -> str:
    """Return what a mail says to people: its plain texts, else its HTML without the tags."""
    plain = [
        decoded(part) for part in parts if part.get_content_type() == "text/plain" and not part.get_filename()
    ]
    if any(one.strip() for one in plain):
        return _tidy("\n".join(plain))
    if len(parts) == 1 and parts[0].get_content_maintype() == "multipart":
        return _tidy(decoded(parts[0]))  # it announces parts and has none
    html = next((decoded(part) for part in parts if part.get_content_type() == "text/html"), "")
    if too_deep(html.encode("utf-8", "replace")):  # written to hurt a parser: its words alone
        return _tidy(_TAG.sub("\n", html))
    return _tidy(LexborHTMLParser(html).text(separator="\n")) if html else ""


def _tidy(text: str) -> str:
    """Return a text in lines as long as mail may have, without trailing blanks and repeated empty lines.

    Patterns that look for quotes and addresses take time with the square of a line's length and of the number
    of empty lines, and anybody may send those.
    """
    lines = [
        part.rstrip() for line in text[:_MAX_CHARACTERS].split("\n") for part in _LINE.findall(line) or [""]
    ]
    return "\n".join(line for before, line in zip(["x", *lines], lines, strict=False) if before or line)


def decoded(part: Message) -> str:
    """Return the text of a part."""
    payload = part.get_payload(decode=True)
    raw = payload if isinstance(payload, bytes) else b""
    try:
        return raw.decode(part.get_content_charset() or "utf-8", "replace").replace("\r\n", "\n")
    except LookupError:
        return raw.decode("latin-1").replace("\r\n", "\n")


def fields(parts: Sequence[Message], kind: str) -> dict[str, str]:
    """Return the fields of the first part of a kind, with lower-cased names.

    The parser reads such a part as a message inside it, or leaves it as text.
    """
    part = next((one for one in parts if one.get_content_type() == kind), None)
    if part is None:
        return {}
    inner = part.get_payload()
    text = decoded(part).strip().encode()
    held = inner[0] if isinstance(inner, list) and inner else message_from_bytes(text)
    if not isinstance(held, Message):
        return {}
    return {name.lower(): str(value).strip() for name, value in held.items()}
