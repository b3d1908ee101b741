"""Ends a process whose work never ends.

An end is safe at any moment here, and a supervisor starts it again.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

import structlog

log = structlog.get_logger()

STUCK = 70  # the exit code: an internal error, as sysexits.h has it
_SHUTDOWN_S = 8.0  # Celery's own soft shutdown takes 3 s


class _Work:
    def __init__(self, name: str, bound_s: float) -> None:
        self.name, self.bound_s, self.since = name, bound_s, time.monotonic()

    def is_overdue(self) -> bool:
        return time.monotonic() - self.since > self.bound_s


_running: dict[int, _Work] = {}  # by thread
_started = threading.Lock()


def begin(name: str, bound_s: float) -> None:
    """Watch the work that this thread begins, until `end`."""
    _running[threading.get_ident()] = _Work(name, bound_s)


def end() -> None:
    """Forget the work of this thread: it ended."""
    _running.pop(threading.get_ident(), None)


@contextmanager
def watched(name: str, bound_s: float) -> Iterator[None]:
    """Watch the work in the block."""
    begin(name, bound_s)
    try:
        yield
    finally:
        end()


def running(within_s: float = float("inf")) -> set[str]:
    """Return the names of what runs in this process and began within the last seconds."""
    since = time.monotonic() - within_s
    return {work.name for work in list(_running.values()) if work.since >= since}


def start() -> None:
    """Watch this process, once, from a thread of its own."""
    if _started.acquire(blocking=False):
        threading.Thread(target=_watch, name="watchdog", daemon=True).start()


def _watch(stop: Callable[[int], object] = os._exit) -> None:
    while True:
        time.sleep(1)
        for work in list(_running.values()):
            if work.is_overdue():
                log.critical("worker_stuck", work=work.name, seconds=round(time.monotonic() - work.since))
                stop(STUCK)
                return


def end_within(seconds: float = _SHUTDOWN_S) -> None:
    """End this process after so many seconds, whatever it still waits for: it was told to shut down."""

    def force() -> NoReturn:
        log.warning("worker_shutdown_forced", running=sorted(running()))
        os._exit(0)

    timer = threading.Timer(seconds, force)
    timer.daemon = True
    timer.start()
