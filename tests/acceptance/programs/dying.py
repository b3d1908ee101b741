"""An append worker that kills itself (SIGKILL) the first times it comes to a named point.

Then it is a worker like any other.

Arguments: the point, the folder where it counts its deaths, and how often to die. The points:
    before_move      the task has begun, nothing is claimed
    after_claim      rows are taken out of the outbox, in a transaction that is open
    after_insert     the events are in the log, in a transaction that is open
    before_publish   the transaction is committed, nothing is published
"""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from worker import append as road
from worker.celery import app


def main() -> None:
    point, folder, times = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    deaths = len(list(folder.iterdir()))
    if deaths < times:
        functions = {
            "before_move": "move",
            "after_claim": "_waves",
            "after_insert": "append",
            "before_publish": "publish",
        }
        name = functions[point]
        setattr(road, name, dying(getattr(road, name), folder / str(deaths), after=point == "after_insert"))
        if point in (
            "after_claim",
            "after_insert",
        ):  # the points lie inside one statement, but for a batch that must be sifted
            road.move = lambda limit: road.Poison("sift, to pass the point")  # type: ignore[attr-defined]  # a name the module imported
    app.worker_main(
        [
            "worker",
            "--queues=append",
            "--pool=threads",
            "--concurrency=2",
            "--without-gossip",
            "--without-mingle",
            "--loglevel=ERROR",
        ]
    )


def dying(function: Callable[..., Any], mark: Path, *, after: bool) -> Callable[..., Any]:
    """Wrap `function` so that the process dies before it is called, or after."""

    def wrapped(*arguments: Any) -> Any:
        result = function(*arguments) if after else None
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
        return result

    return wrapped


if __name__ == "__main__":
    main()
