"""Work off what waits, chunk after chunk: the body of every task that claims work."""

import time
from collections import Counter
from collections.abc import Callable

from worker.nudge import mark_started, nudge

_AT_MOST_S = 2.0  # then the next task goes on, so that a shutdown never waits for the end of a flood


def drain(task: str, step: Callable[[], Counter[str]]) -> str:
    """Repeat `step` until nothing waits or it is the next task's turn; return a line for operators.

    `task` is the name of the task that calls this: a nudge that comes from here on sends it again.
    """
    mark_started(task)
    started = time.monotonic()
    tally: Counter[str] = Counter()
    while done := step():
        tally += done
        if time.monotonic() - started > _AT_MOST_S:
            nudge(task)
            break
    counts = ", ".join(f"{count} {word}" for word, count in tally.items())
    return f"{counts or 'nothing waited'}; {(time.monotonic() - started) * 1000:.0f} ms"
