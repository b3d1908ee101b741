"""Other processes, as tests look at them."""

import psutil


def command(process: psutil.Process) -> str:
    """Return a process's command.

    "" where it ended since it was listed, as PostgreSQL's backends do all the time.
    """
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""
