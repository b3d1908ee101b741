"""The rows of a CSV or NDJSON file, plain or .gz; at most one line of it is in memory."""

import csv
import gzip
import json
from collections.abc import Iterator, Mapping
from io import BufferedReader, TextIOWrapper
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from producers.imports.errors import ImportFailed, InvalidMapping, RowRejected
from producers.imports.fields import Row
from producers.imports.mapping import FileForm, ImportMap, LookupTable

MAX_LINE = 1_000_000  # characters
MAX_TABLE = 200_000  # rows of a lookup table, which is held in memory
_CODECS = {"utf-8": "utf-8-sig"}  # with or without a byte order mark


class Numbered(NamedTuple):
    """A row and the line of the file it begins at; `fault` is why it is not a row, or empty."""

    line: int
    row: dict[str, str]
    fault: str = ""


class RowFile:
    """An open file of rows; iterate over it. `columns` is None where rows name their own."""

    def __init__(self, path: Path, form: FileForm) -> None:
        self.path = path
        try:
            self._raw: BufferedReader = path.open("rb")
        except OSError as error:
            raise ImportFailed(f"{path}: {error.strerror}") from None
        self._text = _text(gzip.GzipFile(fileobj=self._raw) if path.suffix == ".gz" else self._raw, form)
        self._line = 0
        self._csv = (
            csv.reader(self._lines(), delimiter=form.delimiter, strict=True) if form.format == "csv" else None
        )
        try:
            self.columns = self._header() if self._csv else None
        except ImportFailed:
            self.close()
            raise

    @property
    def position(self) -> int:
        """How many bytes of the file, as it lies on the disk, have been read."""
        return self._raw.tell()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._text.close()
        self._raw.close()

    def __iter__(self) -> Iterator[Numbered]:
        return self._csv_rows() if self._csv else self._json_rows()

    def _lines(self) -> Iterator[str]:
        try:
            while line := self._text.readline(MAX_LINE):
                self._line += 1
                if len(line) == MAX_LINE:
                    raise ImportFailed(
                        f"{self.path}: line {self._line} has {MAX_LINE} characters or more:"
                        " is this the file that the mapping is for?"
                    )
                yield line
        except (EOFError, OSError, UnicodeError) as error:
            raise ImportFailed(f"{self.path}: unreadable after line {self._line}: {error}") from None

    def _header(self) -> list[str]:
        assert self._csv is not None
        try:
            columns = [name.strip() for name in next(self._csv, [])]
        except csv.Error as error:
            raise ImportFailed(f"{self.path}: the header is not CSV: {error}") from None
        if not columns or len(set(columns)) < len(columns):
            raise ImportFailed(f"{self.path}: the first line has to name the columns, each once")
        return columns

    def _csv_rows(self) -> Iterator[Numbered]:
        assert self._csv is not None
        assert self.columns is not None
        names, width = self.columns, len(self.columns)
        while True:
            line = self._line + 1
            try:
                cells = next(self._csv)
            except StopIteration:
                return
            except csv.Error as error:
                yield Numbered(line, {}, f"not CSV: {error}")
                continue
            if not cells:
                continue  # an empty line
            row = dict(zip(names, map(str.strip, cells), strict=False))
            if len(cells) != width:
                yield Numbered(line, row, f"{len(cells)} cells under {width} columns")
            else:
                yield Numbered(line, row, _undecoded(cells))

    def _json_rows(self) -> Iterator[Numbered]:
        for text in self._lines():
            if not text.strip():
                continue
            try:
                value = json.loads(text)
                if not isinstance(value, dict):
                    raise RowRejected("not a JSON object")
                yield Numbered(self._line, flat(value), _undecoded([text]))
            except (ValueError, RecursionError, RowRejected) as error:
                yield Numbered(self._line, {}, f"not a row: {error}")


def _text(raw: BufferedReader | gzip.GzipFile, form: FileForm) -> TextIOWrapper:
    # A byte that is not text becomes a surrogate here, and its row, not the file, is rejected.
    return TextIOWrapper(
        raw,
        encoding=_CODECS.get(form.encoding, form.encoding),
        errors="surrogateescape" if form.encoding == "utf-8" else "strict",
        newline="",
    )


def _undecoded(cells: list[str]) -> str:
    try:
        "".join(cells).encode()
    except UnicodeEncodeError:
        return "not in the encoding that the mapping states"
    return ""


def flat(value: Mapping[str, object], before: str = "") -> dict[str, str]:
    """Return a JSON object as a row.

    What is within another object is named outer.inner, null is empty, a list stays JSON.
    """
    row: dict[str, str] = {}
    for name, item in value.items():
        if isinstance(item, dict):
            row |= flat(item, f"{before}{name}.")
        elif isinstance(item, str):
            row[before + name] = item.strip()
        elif item is not None:
            row[before + name] = json.dumps(item)
    return row


class Joined:
    """Adds to each row the columns of the tables that it matches."""

    def __init__(self, mapping: ImportMap, beside: Path) -> None:
        self._tables = [(table, self._read(table, beside / table.file)) for table in mapping.tables]
        self.columns = {
            f"{table.name}.{column}"
            for table, rows in self._tables
            for row in rows.values()
            for column in row
        }

    @staticmethod
    def _read(table: LookupTable, path: Path) -> dict[str, Row]:
        rows: dict[str, Row] = {}
        with RowFile(path, table.form) as file:
            if file.columns is not None and table.key not in file.columns:
                raise InvalidMapping(
                    f"tables.{table.name}.key",
                    f"{path.name} has no column {table.key!r}; it has {', '.join(file.columns)}",
                )
            for numbered in file:
                if numbered.fault:
                    raise ImportFailed(f"{path}: line {numbered.line}: {numbered.fault}")
                rows[numbered.row.get(table.key, "")] = numbered.row
                if len(rows) > MAX_TABLE:
                    raise ImportFailed(
                        f"{path}: more than {MAX_TABLE} rows: a lookup table is held in memory"
                    )
        return rows

    def __call__(self, row: dict[str, str]) -> Row:
        """Return the row with the columns of its matches in the tables; a row may match none."""
        for table, rows in self._tables:
            found = rows.get(table.match(row) or "")
            if found is not None:
                row |= {f"{table.name}.{name}": value for name, value in found.items()}
        return row
