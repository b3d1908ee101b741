"""A worker that sends what is due, and kills itself (SIGKILL) at a named point the first time it comes there.

Arguments: the point, and the file that says that it has died. The points:
    after_claim   the gate let mails pass, and that is committed
    before_mark   the mail server has the mail but its end, and it is not marked as being sent
    after_answer  the mail server has answered 250, and that is not committed
"""

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from producers.sequences.sending import outcomes, send


def main() -> None:
    point, mark = sys.argv[1], Path(sys.argv[2])
    if not mark.exists():
        where, name = {
            "after_claim": (send, "_send_all"),
            "before_mark": (outcomes, "mark"),
            "after_answer": (outcomes, "save_all_accepted"),
        }[point]
        setattr(where, name, dying(getattr(where, name), mark))
    while True:
        send.send_chunk()
        time.sleep(0.05)


def dying(function: Callable[..., Any], mark: Path) -> Callable[..., Any]:
    """Wrap `function` so that the process dies when it is called with something to do."""

    def wrapped(*arguments: Any) -> Any:
        if arguments[-1]:
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments)

    return wrapped


if __name__ == "__main__":
    main()
