"""What the supervisor promises of the processes it keeps."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import psutil
import pytest

from cli.dev import supervisor
from cli.dev.supervisor import Child, Supervisor
from tests.processes import command

LIVES = "import time; print('up', flush=True); time.sleep(600)"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {LIVES}"
HAS_STUBBORN_CHILD = f"""
import subprocess, sys
print(subprocess.Popen([sys.executable, '-S', '-c', {STUBBORN!r}]).pid, flush=True)
{LIVES}
"""
OWNER = f"""
import asyncio, sys
from cli.dev.supervisor import Child, Supervisor
programs = [('a', {HAS_STUBBORN_CHILD!r}), ('b', {LIVES!r})]
children = [Child(name, (sys.executable, '-S', '-c', code)) for name, code in programs]
asyncio.run(Supervisor(children, lambda name, line: print(line, flush=True)).run())
"""


def python(name: str, code: str) -> Child:
    return Child(name, (sys.executable, "-S", "-c", code))


class Log:
    """The lines said so far; `until` waits for the n-th line that contains a text, and returns it."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []
        self._more = asyncio.Event()

    def __call__(self, name: str, line: str) -> None:
        self.lines.append((name, line))
        self._more.set()

    async def until(self, text: str, count: int = 1) -> str:
        async with asyncio.timeout(20):
            while len(found := [line for _, line in self.lines if text in line]) < count:
                self._more.clear()
                await self._more.wait()
        return found[count - 1]


def supervised(children: list[Child], scenario: Callable[[Supervisor, Log], Awaitable[None]]) -> Log:
    """Run the children while the scenario runs, then stop them."""

    async def run() -> Log:
        log = Log()
        keeper = Supervisor(children, log)
        running = asyncio.create_task(keeper.run())
        await scenario(keeper, log)
        if not running.done():
            keeper.stop()
        await running
        return log

    return asyncio.run(run())


def test_each_line_is_said_with_the_name_of_its_child() -> None:
    async def scenario(_: Supervisor, log: Log) -> None:
        await log.until("starts again", count=2)

    talks = "import sys; print('one\\ntwo'); sys.stdout.flush(); sys.stderr.write('no newline')"
    log = supervised([python("a", talks), python("b", "print('three')")], scenario)
    assert [line for name, line in log.lines if name == "a"][:3] == ["one", "two", "no newline"]
    assert [line for name, line in log.lines if name == "b"][:1] == ["three"]


def test_an_endless_line_is_said_in_pieces() -> None:
    async def scenario(_: Supervisor, log: Log) -> None:
        await log.until("x")

    log = supervised(
        [
            python(
                "a",
                f"import sys, time; sys.stdout.write('x' * {1 << 17}); sys.stdout.flush(); time.sleep(600)",
            )
        ],
        scenario,
    )
    assert len(log.lines[0][1]) > 1 << 16


def test_a_killed_child_is_started_again_with_the_rest_undisturbed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "FIRST_DELAY", 0.01)
    pids: list[tuple[int | None, int | None]] = []

    async def scenario(keeper: Supervisor, log: Log) -> None:
        await log.until("up", count=2)
        pids.append((keeper.pid("a"), keeper.pid("b")))
        os.kill(keeper.pid("a") or 0, signal.SIGKILL)
        await log.until("up", count=3)
        pids.append((keeper.pid("a"), keeper.pid("b")))

    log = supervised([python("a", LIVES), python("b", LIVES)], scenario)
    assert ("a", "killed by SIGKILL; starts again in 0.01 s") in log.lines
    (a1, b1), (a2, b2) = pids
    assert None not in (a1, a2, b1, b2)
    assert (a1 != a2, b1 == b2) == (True, True)


def test_what_a_killed_child_had_started_ends_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "FIRST_DELAY", 600.0)  # so that nothing but the death itself can end it

    async def scenario(keeper: Supervisor, log: Log) -> None:
        await log.until("up", count=2)
        grandchild = psutil.Process(int(log.lines[0][1]))
        os.kill(keeper.pid("a") or 0, signal.SIGKILL)
        await log.until("starts again")
        _, alive = psutil.wait_procs([grandchild], timeout=10)
        assert alive == []

    supervised([python("a", HAS_STUBBORN_CHILD)], scenario)


def test_the_delay_doubles_up_to_a_limit_while_a_child_keeps_dying(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "FIRST_DELAY", 0.01)
    monkeypatch.setattr(supervisor, "LONGEST_DELAY", 0.03)

    async def scenario(_: Supervisor, log: Log) -> None:
        await log.until("again", count=4)

    log = supervised([python("a", "raise SystemExit(3)")], scenario)
    assert [line for _, line in log.lines] == [
        f"ended with exit code 3; starts again in {delay} s" for delay in (0.01, 0.02, 0.03, 0.03)
    ]


def test_the_delay_begins_anew_after_a_steady_life(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "FIRST_DELAY", 0.01)
    monkeypatch.setattr(supervisor, "STEADY", 0.0)

    async def scenario(_: Supervisor, log: Log) -> None:
        await log.until("again", count=3)

    log = supervised([python("a", "raise SystemExit(3)")], scenario)
    assert {line for _, line in log.lines} == {"ended with exit code 3; starts again in 0.01 s"}


def test_a_stop_ends_even_what_ignores_it_within_five_seconds() -> None:
    found: list[psutil.Process] = []
    began: list[float] = []

    async def scenario(keeper: Supervisor, log: Log) -> None:
        await log.until("up", count=4)
        children = [psutil.Process(keeper.pid(name)) for name in "abc"]
        found.extend([*children, *(grandchild for child in children for grandchild in child.children())])
        began.append(time.monotonic())

    supervised([python("a", HAS_STUBBORN_CHILD), python("b", STUBBORN), python("c", LIVES)], scenario)
    assert time.monotonic() - began[0] < 5
    assert len(found) == 4
    assert psutil.wait_procs(found, timeout=1)[1] == []


def test_a_stop_in_the_middle_of_a_delay_is_immediate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "FIRST_DELAY", 600.0)

    async def scenario(_: Supervisor, log: Log) -> None:
        await log.until("again")

    began = time.monotonic()
    supervised([python("a", "raise SystemExit(3)")], scenario)
    assert time.monotonic() - began < 5


def test_a_second_stop_kills_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "PATIENCE", 600.0)

    async def scenario(keeper: Supervisor, log: Log) -> None:
        await log.until("up")
        keeper.stop()

    began = time.monotonic()
    supervised([python("a", STUBBORN)], scenario)
    assert time.monotonic() - began < 5


def test_the_children_and_theirs_die_with_a_killed_supervisor(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", OWNER], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        lines = [owner.stdout.readline().strip() for _ in range(4)]
        assert sorted(lines)[1:] == ["up", "up", "up"]
        kept = [
            process
            for process in psutil.Process(owner.pid).children(recursive=True)
            if "warden" not in command(process)
        ]
        assert len(kept) == 3
        owner.kill()
        _, alive = psutil.wait_procs(kept, timeout=10)
    assert alive == []
