"""Background tasks of a process: each runs until the process ends, whatever it meets."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

log = structlog.get_logger()

_PAUSE_S = 1.0


async def supervise(name: str, work: Callable[[], Awaitable[None]], pause_s: float = _PAUSE_S) -> None:
    """Run `work` again and again.

    An error, and an end that nobody asked for, are logged and it is started anew.
    """
    while True:
        try:
            await work()
            log.error("background_task_ended", name=name)
        except Exception as error:  # a task that died in silence stopped the stream for good
            log.error("background_task_failed", name=name, error=type(error).__name__, exc_info=error)
        await asyncio.sleep(pause_s)
