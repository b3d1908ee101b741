"""`activity import`: files of rows into events and records."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.errors import FINDING, INTERRUPTED
from cli.output import Json, print_json
from cli.workspace import TenantOption, resolve

if TYPE_CHECKING:
    from producers.imports.run import Report, Summary, Ticks

_NOTHING_MOVES_S = 10.0

Files = Annotated[
    list[Path],
    typer.Argument(help="CSV or NDJSON, plain or .gz.", exists=True, dir_okay=False, readable=True),
]


def import_(
    files: Files,
    map_: Annotated[
        Path,
        typer.Option(
            "--map", help="The mapping, a TOML file; see docs/importing.md.", exists=True, dir_okay=False
        ),
    ],
    tenant: TenantOption = None,
    wait: Annotated[
        bool,
        typer.Option("--wait/--no-wait", help="Wait until all is in the log, and count what it appended."),
    ] = True,
    append_here: Annotated[
        bool, typer.Option("--append-here", help="Do the append task's work as well, where no worker runs.")
    ] = False,
    state_dir: Annotated[
        Path | None,
        typer.Option(
            help="The folder of FILE.import.json and FILE.rejects.ndjson. Default: beside FILE, else here."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Import files: their rows become events and records, by a mapping.

    A second import of a file adds nothing. An interrupted one, started again, goes on where it stopped.
    Exit codes: 0 all rows, 1 some were rejected, 2 the mapping or the usage is wrong.
    """
    from producers.imports.mapping import load
    from producers.imports.run import Importer

    _log_warnings_only()
    mapping = load(map_)
    chosen = None if tenant is None and mapping.tenant is not None else resolve(tenant).id
    summaries: list[Summary] = []
    if chosen is not None:
        _announce(chosen)
    with _bar() as report:
        importer = Importer(mapping, chosen, append_here=append_here, report=report)
        for file in files:
            try:
                summaries.append(importer.run(file, state_dir or _beside(file), wait=wait))
            except KeyboardInterrupt:
                typer.echo(f"\nactivity: interrupted; the same command goes on with {file.name}", err=True)
                raise typer.Exit(INTERRUPTED) from None
    _print(summaries, json)
    if any(summary.rejected or summary.refused for summary in summaries):
        raise typer.Exit(FINDING)


def _announce(tenant: int) -> None:
    """Name the playbooks that the imported events may start, with how old such an event may be."""
    from producers.playbooks.dry_run import listening

    for name, age in listening(tenant):
        old = "of any age" if age == "any" else f"of the last {age}"
        typer.echo(f"activity: imported events {old} may start the playbook {name}", err=True)


def _log_warnings_only() -> None:
    """Leave progress to the bar."""
    import logging

    from worker.process.logs import configure_logging

    configure_logging()
    logging.getLogger("worker").setLevel(logging.WARNING)


def _beside(file: Path) -> Path:
    return file.parent if os.access(file.parent, os.W_OK) else Path.cwd()


@contextmanager
def _bar() -> "Iterator[Report]":
    """Yield what shows progress: in a terminal a bar, and everywhere a hint when nothing moves."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    text = TextColumn("{task.fields[rows]:,} rows, {task.fields[waiting]:,} events wait")
    with Progress(
        BarColumn(),
        TaskProgressColumn(),
        text,
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    ) as progress:
        task = progress.add_task("import", total=1, rows=0, waiting=0)
        stuck = _Stuck()

        def report(ticks: "Ticks") -> None:
            progress.update(
                task, total=ticks.size, completed=ticks.read, rows=ticks.rows, waiting=ticks.waiting
            )
            stuck(ticks)

        yield report


class _Stuck:
    """Warns once, when nothing appends the events."""

    def __init__(self) -> None:
        self._last: tuple[int, int] = (0, 0)
        self._since = time.monotonic()

    def __call__(self, ticks: "Ticks") -> None:
        now = (ticks.rows, ticks.waiting)
        if now != self._last:
            self._last, self._since = now, time.monotonic()
        elif ticks.waiting and time.monotonic() - self._since > _NOTHING_MOVES_S:
            typer.echo(
                f"activity: {ticks.waiting} events wait and nothing appends them:"
                " start `activity worker append`, or use --append-here",
                err=True,
            )
            self._since = float("inf")


def _print(summaries: "list[Summary]", json: bool) -> None:
    if json:
        print_json(summaries)
        return
    for one in summaries:
        outcome = ""
        if one.appended is not None:
            outcome = f" ({one.appended:,} appended, {one.duplicates:,} duplicates, {one.refused:,} rejected)"
        resumed = f", from row {one.resumed_after + 1:,} on" if one.resumed_after else ""
        typer.echo(
            f"{one.file}: {one.rows:,} rows{resumed}, {one.emitted:,} events emitted{outcome},"
            f" {one.records:,} records new or changed, {one.rejected:,} rows rejected, {one.seconds:.1f} s"
        )
        if one.rejects_file:
            typer.echo(f"  the rejected rows, with their reasons: {one.rejects_file}")
