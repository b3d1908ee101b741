"""Ends the processes that this one started when it dies, however it dies.

A process that owns servers or workers starts one warden: a tiny Python process that reads, from a pipe, which
process groups the owner has running. The kernel closes that pipe even after kill -9, and its end makes the
warden end what is left. PR_SET_PDEATHSIG would do less: Linux only, lost on setuid, tied to the starting
thread, and blind to grandchildren.
"""

import atexit
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from functools import cache

GRACE = 3.0  # seconds between a group's own signal and SIGKILL


class Warden:
    """Ends the watched process groups when the process that made this object is gone."""

    def __init__(self) -> None:
        # -I -S: it must start in milliseconds and import nothing but the standard library.
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__], stdin=subprocess.PIPE, start_new_session=True
        )
        atexit.register(
            self._process.communicate
        )  # at an orderly end, close the pipe and wait until nothing is left, the warden included

    def watch(self, group: int, end_with: signal.Signals = signal.SIGTERM) -> None:
        """Answer for the process group `group` (the pid of a process started with start_new_session=True)."""
        self._tell(group, int(end_with))

    def forget(self, group: int) -> None:
        """Answer no longer for a group that has ended, since its number may be given to another."""
        self._tell(group, 0)

    def _tell(self, group: int, number: int) -> None:
        if self._process.stdin is None:
            raise RuntimeError("the warden was started without a pipe")
        self._process.stdin.write(f"{group} {number}\n".encode())
        self._process.stdin.flush()


@cache
def warden() -> Warden:
    """Return the warden of this process; the first call starts it."""
    return Warden()


def signal_group(group: int, number: int) -> bool:
    """Send a signal (0 only asks) to a process group and say whether it exists."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    except PermissionError:  # macOS says so of a group that holds zombies alone
        return number == 0
    return True


def signal_leader(group: int, number: int) -> None:
    """Ask a group to end through its first process, which ends the others in its own way.

    A task of theirs may still be running.
    """
    with suppress(ProcessLookupError):
        os.kill(group, number)


def end_groups(groups: dict[int, int], grace: float = GRACE) -> None:
    """Send each group's leader its signal, and SIGKILL to the groups that exist `grace` seconds later."""
    for group, number in groups.items():
        signal_leader(group, number)
    left = list(groups)
    deadline = time.monotonic() + grace
    while (left := [group for group in left if signal_group(group, 0)]) and time.monotonic() < deadline:
        time.sleep(0.02)
    for group in left:
        signal_group(group, signal.SIGKILL)


def main() -> None:
    """Follow the owner's pipe to its end, then end what the owner left."""
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    groups: dict[int, int] = {}
    for line in sys.stdin:
        group, number = map(int, line.split())
        groups[group] = number
        if number == 0:
            del groups[group]
    end_groups(groups)


if __name__ == "__main__":
    main()
