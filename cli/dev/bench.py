"""`activity bench`: the benchmarks, on servers of their own."""

import importlib
import json
from typing import Annotated

import typer

from activity.errors import ActivityError

# Each is a module bench.<name> with run(**options) -> figures by name.
NAMES = ("append", "read", "stream", "sequences", "enrichment", "playbooks")


def bench(
    name: Annotated[str, typer.Argument(help=f"One of {', '.join(NAMES)}.")],
    events: Annotated[int | None, typer.Option(help="How many events: fewer for a shorter run.")] = None,
    only: Annotated[
        str | None,
        typer.Option(help="Only one part: throughput, latency, flood or processes of append, for instance."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Measure this installation against baselines of the same run, on embedded servers of its own."""
    if name not in NAMES:
        raise ActivityError(f"no benchmark {name!r}: choose one of {', '.join(NAMES)}")
    options = {"events": events, "only": only}
    figures = importlib.import_module(f"bench.{name}").run(
        **{key: value for key, value in options.items() if value is not None}
    )
    if as_json:
        typer.echo(json.dumps(figures))
    else:
        for key, value in figures.items():
            typer.echo(f"{key:>22}  {value}")
