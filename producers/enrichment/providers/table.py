"""A table of the tenant's own: a CSV file, or a query on a database of theirs."""

import asyncio
import csv
import os
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from db.enrichment.foreign import QueryFailed, look_up
from producers.enrichment.provider import FoundValue, ProviderAnswer, ProviderFailed, Question, Surroundings

_MAX_ROWS = 200_000


class TableOptions(BaseModel):
    """The options in the configuration. Give either `csv` or `url_env` with `query`."""

    model_config = ConfigDict(extra="forbid")

    csv: str | None = None  # a path; {tenant} in it is the workspace's slug
    column: str = "domain"  # of the file, found by the record's `by`
    url_env: str | None = None  # the environment variable that holds the database's URL
    query: str | None = None  # a SELECT of one row, with :by, :record_id and :tenant
    by: str = "domain"
    fields: Annotated[Mapping[str, str], Field(min_length=1)]  # the field, and its column
    integers: frozenset[str] = frozenset()  # fields of a file that are whole numbers
    confidence: Annotated[float, Field(ge=0, le=1)] = 1.0

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if bool(self.csv) == bool(self.url_env and self.query):
            raise ValueError("give either csv, or url_env and query")
        if self.url_env and self.url_env not in os.environ:
            raise ValueError(f"the environment has no {self.url_env}: set it to the database's URL")
        return self


class Table:
    """Finds whatever fields its columns hold."""

    batch_size = 1

    def __init__(self, options: Mapping[str, object], surroundings: Surroundings) -> None:
        self._options, self._timeout_s = TableOptions.model_validate(options), surroundings.timeout_s

    def key(self, question: Question) -> str | None:
        """Return the value that the row is found by."""
        value = question.values.get(
            self._options.by, question.record_id if self._options.by == "id" else None
        )
        return value.strip().lower() if isinstance(value, str) and value.strip() else None

    async def ask(self, questions: Sequence[Question]) -> Sequence[ProviderAnswer]:
        """Look the rows up, beside the event loop."""
        return [await asyncio.to_thread(self._find, question) for question in questions]

    def _find(self, question: Question) -> ProviderAnswer:
        by = self.key(question) or ""
        row = self._in_file(question, by) if self._options.csv else self._in_database(question, by)
        if row is None:
            return {}
        return {
            name: FoundValue(self._typed(name, row.get(column)), self._options.confidence)
            for name, column in self._options.fields.items()
        }

    def _in_file(self, question: Question, by: str) -> Mapping[str, object] | None:
        path = Path(
            (self._options.csv or "").replace("{tenant}", question.tenant_slug)
        )  # a slug is a-z, 0-9 and -
        try:
            return _rows(path, path.stat().st_mtime_ns, self._options.column).get(by)
        except FileNotFoundError:
            return None  # this tenant has no table
        except (OSError, UnicodeError, csv.Error, KeyError) as error:
            raise ProviderFailed(f"the table cannot be read: {type(error).__name__}") from None

    def _in_database(self, question: Question, by: str) -> Mapping[str, object] | None:
        values = {"by": by, "record_id": question.record_id, "tenant": question.tenant_slug}
        try:
            return look_up(
                os.environ[self._options.url_env or ""], self._options.query or "", values, self._timeout_s
            )
        except QueryFailed as error:
            raise ProviderFailed(str(error), transient=True) from None

    def _typed(self, name: str, value: object) -> object:
        if name not in self._options.integers or not isinstance(value, str) or not value:
            return value
        try:
            return int(value)
        except ValueError:
            raise ProviderFailed(f"{name}: its row holds no whole number") from None


@lru_cache(maxsize=50)
def _rows(path: Path, changed_ns: int, column: str) -> Mapping[str, Mapping[str, str]]:
    """Return a file's rows by a column; read again when it changed."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows: dict[str, Mapping[str, str]] = {}
        for row in csv.DictReader(file):
            if len(rows) >= _MAX_ROWS:
                raise csv.Error(f"more than {_MAX_ROWS} rows")
            rows[row[column].strip().lower()] = row
        return rows
