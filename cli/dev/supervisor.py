"""Keeps child processes running.

Relays what they print, starts those that die again, and stops all of them in time.
"""

import asyncio
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from types import MappingProxyType
from typing import NamedTuple

from cli.dev.warden import signal_group, signal_leader, warden

FIRST_DELAY, LONGEST_DELAY = 0.5, 10.0  # seconds before a child that died is started again; doubles each time
STEADY = 30.0  # a child that lived for so many seconds is not failing: its next delay is the first
PATIENCE = 2.5  # seconds between the polite signal and SIGKILL; an idle prefork worker takes two
_LONGEST_LINE = 1 << 16

Write = Callable[[str, str], None]  # (name of the child, one line)


class Child(NamedTuple):
    """A process to keep: the prefix of its lines, its command, and what its environment has beside ours."""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = MappingProxyType({})


class Supervisor:
    """Runs children until told to stop.

    Each has a process group of its own, which no end of ours leaves behind.
    """

    def __init__(self, children: Sequence[Child], write: Write) -> None:
        self._children = children
        self._write = write
        self._groups: dict[str, int] = {}  # running children in the order of their start
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Start the children and keep them until stop(); returns when none is left."""
        try:
            async with asyncio.TaskGroup() as tasks:
                for child in self._children:
                    tasks.create_task(self._keep(child))
        finally:
            self.kill()

    def stop(self) -> None:
        """Ask the children to end, the last started first, and kill those left after PATIENCE.

        Called again, kill them now.
        """
        if self._stopping.is_set():
            self.kill()
            return
        self._stopping.set()
        for group in reversed(self._groups.values()):
            signal_leader(group, signal.SIGTERM)
        asyncio.get_running_loop().call_later(PATIENCE, self.kill)

    def kill(self) -> None:
        """Kill what runs, with all its descendants."""
        for group in self._groups.values():
            signal_group(group, signal.SIGKILL)

    def pid(self, name: str) -> int | None:
        """Return the process id of a child, or None while it is not running."""
        return self._groups.get(name)

    async def _keep(self, child: Child) -> None:
        delay = FIRST_DELAY
        while not self._stopping.is_set():
            started = time.monotonic()
            code = await self._live(child)
            if self._stopping.is_set():
                break
            if time.monotonic() - started >= STEADY:
                delay = FIRST_DELAY
            self._write(child.name, f"{_ending(code)}; starts again in {delay:g} s")
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), delay)
            delay = min(delay * 2, LONGEST_DELAY)

    async def _live(self, child: Child) -> int:
        """Run a child once, from its start to the end of its last descendant, and return its exit code."""
        # A pipe of our own: asyncio's would make wait() last until the last descendant has closed it.
        read_end, write_end = os.pipe()
        try:
            process = await asyncio.create_subprocess_exec(
                *child.argv,
                env={**os.environ, **child.env},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=write_end,
                stderr=write_end,
                start_new_session=True,
            )
        finally:
            os.close(write_end)
        warden().watch(process.pid)
        self._groups[child.name] = process.pid
        if self._stopping.is_set():  # stop() was called while it started
            signal_leader(process.pid, signal.SIGTERM)
        relay = asyncio.create_task(self._relay(child.name, read_end))
        code = await process.wait()
        signal_group(process.pid, signal.SIGKILL)
        with suppress(TimeoutError):
            await asyncio.wait_for(relay, 1)
        del self._groups[child.name]
        warden().forget(process.pid)
        return code

    async def _relay(self, name: str, read_end: int) -> None:
        """Say each line that comes out of the pipe; a line beyond all measure is said in pieces."""
        reader = asyncio.StreamReader()
        with os.fdopen(read_end, "rb", buffering=0) as pipe:
            transport, _ = await asyncio.get_running_loop().connect_read_pipe(
                lambda: asyncio.StreamReaderProtocol(reader), pipe
            )
            try:
                rest = b""
                while chunk := await reader.read(_LONGEST_LINE):
                    *lines, rest = (rest + chunk).split(b"\n")
                    if len(rest) > _LONGEST_LINE:
                        lines, rest = [*lines, rest], b""
                    for line in lines:
                        self._write(name, line.decode(errors="replace"))
                if rest:
                    self._write(name, rest.decode(errors="replace"))
            finally:
                transport.close()


def _ending(code: int) -> str:
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
