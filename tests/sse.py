"""Reads a stream of server-sent events (the WHATWG rules), for programs that follow a workspace over HTTP."""

import codecs
import re
from collections.abc import Iterator
from typing import NamedTuple

_LINE_END = re.compile(r"\r\n|\n|\r")


class Frame(NamedTuple):
    """One frame: its event name (`message` where none was given), its data, and the stream's last id."""

    name: str
    data: str
    id: str


class SseReader:
    """Makes frames of the bytes of a stream, however they are cut.

    `retry_ms` is what the stream asked for last.
    """

    def __init__(self) -> None:
        self.last_id = ""
        self.retry_ms: int | None = None
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._rest = ""
        self._begun = False
        self._after_cr = False
        self._name = ""
        self._data: list[str] = []
        self._id = ""

    def feed(self, chunk: bytes) -> Iterator[Frame]:
        """Yield the frames that this piece of the stream completes."""
        text = self._decode(chunk)
        if not self._begun and text:
            self._begun, text = True, text.removeprefix("\ufeff")
        if self._after_cr and text:
            text = text.removeprefix("\n")  # the other half of a CRLF, whose line was taken already
            self._after_cr = False
        self._after_cr |= text.endswith("\r")
        *lines, self._rest = _LINE_END.split(self._rest + text)
        for line in lines:
            frame = self._take(line)
            if frame is not None:
                yield frame

    def _take(self, line: str) -> Frame | None:
        if line == "":
            return self._dispatch()
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            self._data.append(value)
        elif field == "event":
            self._name = value
        elif field == "id" and "\0" not in value:
            self._id = value
        elif field == "retry" and value.isascii() and value.isdigit():
            self.retry_ms = int(value)
        return None

    def _dispatch(self) -> Frame | None:
        self.last_id = self._id
        name, data = self._name or "message", self._data
        self._name, self._data = "", []
        return Frame(name, "\n".join(data), self.last_id) if data else None
