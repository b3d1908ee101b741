"""Runs an import: a thousand rows are one transaction.

A row that does not fit is rejected with its reason.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from sqlalchemy.exc import DataError, IntegrityError
from sqlalchemy.orm import Session

from activity.errors import ActivityError, InvalidEvent
from activity.event import Event
from activity.settings import settings
from activity.validation import encode
from db.engine import EVERY_TENANT, begin
from db.log import backlog, heads
from db.records import records
from db.records.records import Record, TenantNotFound
from producers.imports.errors import RowRejected
from producers.imports.mapping import ImportMap
from producers.imports.progress import Progress
from producers.imports.rows import Joined, Numbered, RowFile
from producers.imports.rules import KINDS
from worker.append import append_batch
from worker.emit import emit

CHUNK = 1000  # rows a transaction
MOST_WAITING = 20_000  # events in the outbox, beyond which an import waits for the log
_POLL_S = 0.05


class Made(NamedTuple):
    """What a row became."""

    numbered: Numbered
    events: list[Event]
    records: list[tuple[int, Record]]


class Summary(msgspec.Struct, kw_only=True):
    """What became of one file. What follows `seconds` is known only when the import waited for the log."""

    file: str
    rows: int
    emitted: int = msgspec.field(name="said")
    records: int
    rejected: int
    resumed_after: int
    seconds: float = 0.0
    appended: int | None = None
    duplicates: int | None = None
    refused: int | None = None
    rejects_file: str | None = None


class Ticks(NamedTuple):
    """How far an import is: bytes read of how many, rows, and events that wait."""

    read: int
    size: int
    rows: int
    waiting: int


Report = Callable[[Ticks], None]


class Importer:
    """Imports files by one mapping. `tenant` is None where the rows choose theirs.

    `append_here` does the append task's work as well.
    """

    def __init__(
        self,
        mapping: ImportMap,
        tenant: int | None,
        *,
        append_here: bool = False,
        report: Report = lambda ticks: None,
    ) -> None:
        self._mapping = mapping
        self._tenant = tenant
        self._append_here = append_here
        self._report = report
        self._by_slug: dict[str, int] = {}
        # By tenant: the last numbers of its log and of its rejected events when the file was started.
        self._starts: dict[int, tuple[int, int]] = {}

    def run(self, path: Path, folder: Path, *, wait: bool = True) -> Summary:
        """Import one file, with its state and its rejects in `folder`.

        After an interruption, the same call goes on after the last commit.
        """
        started = time.monotonic()
        progress = Progress(folder, path, self._mapping.digest, str(self._tenant or "of the rows"))
        self._starts = progress.done.starts
        if self._tenant is not None:
            self._begin_with(self._tenant)
        self._import_rows(path, progress, wait)
        progress.finish()
        summary = _summary(path, progress)
        if wait:
            self._count(summary)
        summary.seconds = round(time.monotonic() - started, 3)
        return summary

    def _import_rows(self, path: Path, progress: Progress, wait: bool) -> None:
        done = progress.done
        joined = Joined(self._mapping, path.parent)
        with RowFile(path, self._mapping.form) as file:
            if file.columns is not None:
                self._mapping.check_columns(joined.columns | set(file.columns))
            for chunk in _chunks(file, done.rows):
                rejects = self._import(chunk, joined, progress)
                done.rows += len(chunk)
                done.rejected += len(rejects)
                progress.commit(rejects)
                self._hold_back(file, path, done.rows, MOST_WAITING)
            if wait:
                self._hold_back(file, path, done.rows, 0)

    def _import(self, chunk: Sequence[Numbered], joined: Joined, progress: Progress) -> list[dict[str, Any]]:
        made, rejects = [], []
        for numbered in chunk:
            try:
                made.append(self._make(numbered, joined))
            except (RowRejected, TenantNotFound) as error:
                rejects.append(_reject(numbered, str(error)))
        rejects += self._commit(made, progress)
        return sorted(rejects, key=lambda reject: int(reject["line"]))

    def _make(self, numbered: Numbered, joined: Joined) -> Made:
        if numbered.fault:
            raise RowRejected(numbered.fault)
        row = joined(dict(numbered.row)) if self._mapping.tables else numbered.row
        tenant = self._tenant or self._tenant_of(self._mapping.tenant(row) if self._mapping.tenant else None)
        return Made(
            numbered,
            self._mapping.events_of(row, tenant),
            [(tenant, record) for record in self._mapping.records_of(row)],
        )

    def _tenant_of(self, slug: str | None) -> int:
        if slug is None:
            raise RowRejected("tenant.slug: a column of it is empty")
        if slug not in self._by_slug:
            with begin("producer") as session:
                make = self._mapping.make_tenants
                self._by_slug[slug] = (
                    records.make_tenant(session, slug, slug) if make else records.find_tenant(session, slug)
                ).id
        self._begin_with(self._by_slug[slug])
        return self._by_slug[slug]

    def _commit(self, made: Sequence[Made], progress: Progress) -> list[dict[str, object]]:
        """Commit what rows became in one transaction; where one fails it, find that and commit the rest."""
        if not made:
            return []
        try:
            with begin("producer", self._tenant or EVERY_TENANT) as session:
                changed = _save_records(session, made)
                emitted = emit(session, [event for one in made for event in one.events])
        except InvalidEvent:
            valid, rejects = _sift(made)
            return rejects + self._commit(valid, progress)
        except (DataError, IntegrityError) as error:
            if len(made) == 1:
                return [_reject(made[0].numbered, str(error.orig).splitlines()[0])]
            half = len(made) // 2
            return self._commit(made[:half], progress) + self._commit(made[half:], progress)
        progress.done.emitted += emitted
        progress.done.records += changed
        return []

    def _hold_back(self, file: RowFile, path: Path, rows: int, most: int) -> None:
        """Return once no more than `most` events wait in the outbox."""
        size = path.stat().st_size
        while True:
            waiting = self._waiting(MOST_WAITING * 2)
            self._report(Ticks(file.position, size, rows, waiting))
            if waiting <= most:
                return
            if not self._append_here or not append_batch(settings().batch_size):
                time.sleep(_POLL_S)

    def _waiting(self, cap: int) -> int:
        if not self._starts:
            return 0
        with begin("producer") as session:
            return backlog.waiting(session, list(self._starts), cap)

    def _begin_with(self, tenant: int) -> None:
        if tenant not in self._starts:
            with begin("reader", tenant) as session:
                self._starts[tenant] = (
                    heads.head(session, tenant).seq,
                    backlog.last_rejected(session, tenant),
                )

    def _count(self, summary: Summary) -> None:
        """Count what the log appended of the emitted events, and rejected; the rest were duplicates."""
        summary.appended = summary.refused = 0
        for tenant, (seq, rejected) in self._starts.items():
            with begin("reader", tenant) as session:
                appended, refused = backlog.outcome(session, tenant, self._mapping.source, seq, rejected)
            summary.appended += appended
            summary.refused += refused
        summary.duplicates = summary.emitted - summary.appended - summary.refused


def _summary(path: Path, progress: Progress) -> Summary:
    done = progress.done
    return Summary(
        file=str(path),
        rows=done.rows,
        emitted=done.emitted,
        records=done.records,
        rejected=done.rejected,
        resumed_after=progress.resumed,
        rejects_file=str(progress.rejects) if done.rejected else None,
    )


def _chunks(file: RowFile, done: int) -> Iterator[Sequence[Numbered]]:
    rows = iter(file)
    for _ in range(done):
        if next(rows, None) is None:
            raise ActivityError(f"{file.path}: it has fewer rows than were imported before")
    while chunk := [numbered for _, numbered in zip(range(CHUNK), rows, strict=False)]:
        yield chunk


def _save_records(session: Session, made: Sequence[Made]) -> int:
    """Upsert the records of rows, kind by kind in the order of their references; return how many changed."""
    kinds: dict[tuple[type[Record], int], list[Record]] = {}
    for one in made:
        for tenant, record in one.records:
            kinds.setdefault((type(record), tenant), []).append(record)
    return sum(
        records.upsert(session, tenant, batch)
        for kind in KINDS.values()
        for (of, tenant), batch in kinds.items()
        if of is kind
    )


def _sift(made: Sequence[Made]) -> tuple[list[Made], list[dict[str, object]]]:
    valid, rejects = [], []
    for one in made:
        try:
            for event in one.events:
                encode(event)
            valid.append(one)
        except InvalidEvent as error:
            rejects.append(_reject(one.numbered, str(error)))
    return valid, rejects


def _reject(numbered: Numbered, reason: str) -> dict[str, object]:
    # A row that could not be read may hold lone surrogates, which JSON cannot.
    row = {name: value.encode(errors="replace").decode() for name, value in numbered.row.items()}
    return {"line": numbered.line, "reason": reason.encode(errors="replace").decode(), "row": row}
