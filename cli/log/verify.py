"""`activity verify`: say whether every log is whole."""

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from activity.errors import ActivityError
from cli.errors import FINDING
from cli.log.checkpoints import Tenants, ids_of, read_checkpoints
from cli.output import Json, print_one

if TYPE_CHECKING:
    from rich.status import Status

    from cli.log.checkpoints import Known
    from feed.verify import Checkpoint, Report

_WORTH_A_PROCESS = 100_000  # events: fewer are recomputed sooner than a process has started


def verify(
    tenant: Tenants = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(help="What `activity checkpoint` wrote, a signed checkpoint, or a folder of them."),
    ] = None,
    since: Annotated[
        Path | None,
        typer.Option(help="Verify only what was appended since the newest of these checkpoints."),
    ] = None,
    key: Annotated[
        list[str] | None,
        typer.Option(help="Who may have signed, as name+id+key. Default: our own ACTIVITY_CHECKPOINT_KEYS."),
    ] = None,
    exported: Annotated[
        Path | None,
        typer.Option(
            "--export", help="Verify what `activity export` wrote, without a database; - is standard input."
        ),
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, max=256, help="How many workspaces at the same time.")] = 2,
    json: Json = False,
) -> None:
    """Recompute every hash of the log and compare; exit with 1 where anything is not as it was recorded."""
    from rich.console import Console

    if since and (checkpoint or exported):
        raise ActivityError("--since verifies a part, --checkpoint and --export the whole: use one of them")
    known = read_checkpoints(since or checkpoint, key or [])
    with Console(stderr=True).status("verifying") as status:
        if exported:
            reports = [_verify_export(exported, known, status)]
        else:
            reports = list(_verify_all(_wanted(tenant, known), known, bool(since), jobs, status))
    print_one(reports, "\n".join(map(_lines, reports)), json)
    if any(report.faults for report in reports):
        raise typer.Exit(FINDING)


def _wanted(tenants: list[str] | None, known: "Known") -> dict[int, int]:
    """Return how many events each workspace has: of those named, else of all, those of a checkpoint too."""
    from db.log import audit

    with audit.snapshot() as session:
        seqs = {one.tenant_id: one.seq for one in audit.footings(session)}
    named = ids_of(tenants) if tenants else sorted({*seqs, *known})
    return {one: seqs.get(one, 0) for one in named}


def _verify_all(
    wanted: dict[int, int], known: "Known", since: bool, jobs: int, status: "Status"
) -> "Iterator[Report]":
    """Yield the reports: of long logs from processes, several at the same time, of others from this one."""
    from feed.verify import verify as run

    def arguments(one: int) -> "tuple[int, list[Checkpoint], Checkpoint | None]":
        places = known.get(one, [])
        if not since:
            return one, places, None
        return one, [], max(places, key=lambda place: place.seq, default=None)

    long = [one for one, seq in wanted.items() if not since and seq >= _WORTH_A_PROCESS]
    if jobs == 1 or len(long) < 2:
        long = []
    # Processes of their own start anew: a copy of this one would share its connections.
    with ProcessPoolExecutor(min(jobs, len(long) or 1), get_context("spawn")) as pool:
        longest_first = sorted(long, key=lambda one: -wanted[one])
        running = {one: pool.submit(run, *arguments(one)) for one in longest_first}
        for number, one in enumerate(wanted, 1):
            status.update(f"verifying workspace {number} of {len(wanted)}")
            if one in running:
                yield running[one].result()
            else:
                yield run(*arguments(one), _showing(status, one))


def _lines(report: "Report") -> str:
    found = "whole" if not report.faults else "NOT WHOLE"
    first = f"tenant {report.tenant_id}: {report.events} events, {found}, head {report.hash[:16]}"
    return "\n  ".join([first, *report.faults, *(f"note: {note}" for note in report.notes)])


def _verify_export(path: Path, known: "Known", status: "Status") -> "Report":
    """Return what is wrong with an exported log, which is one tenant's."""
    from feed.export import opened
    from feed.export import verify as run

    try:
        with sys.stdin.buffer if str(path) == "-" else path.open("rb") as file:
            exported = opened(file)
            tenant = exported.tenant_id
            return run(exported, known.get(tenant, []), _showing(status, tenant))
    except OSError as error:
        raise ActivityError(f"{path}: {error.strerror}") from None
    except ActivityError as error:
        raise ActivityError(f"{path}: {error}") from None


def _showing(status: "Status", tenant: int) -> Callable[[int], object]:
    return lambda seq: status.update(f"verifying tenant {tenant}: seq {seq:,}")
