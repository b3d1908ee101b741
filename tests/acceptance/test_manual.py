"""Every command of README and the manual does what it says, typed as it stands there, in a reader's order.

From an empty home and a fresh `activity dev`, in a folder that holds what a checkout holds of the manual.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from bench.servers import wait_until
from cli.dev.ports import free_port

pytestmark = pytest.mark.timeout(300)

ROOT = Path(__file__).parents[2]
PAGES = tuple(
    f"{page}.md"
    for page in ["README", "docs/importing", "docs/sequences", "docs/emit", "docs/webhooks", "docs/operate"]
)
# Needs a log with signed checkpoints, which dev has not; test_proofs.py has one.
ELSEWHERE = ("docs/proof.md",)
BLOCK = re.compile(r"^```(?:sh|bash|console)\n(.*?)^```", re.DOTALL | re.MULTILINE)
START = "make dev"  # what the fixture does in its place; `make test` is what runs this
FOLLOWS = "tail --follow"  # goes on until somebody ends it


def blocks() -> list[tuple[str, str]]:
    """Return the page and text of everything that a reader is to type, in order."""
    found = [(page, block) for page in PAGES for block in BLOCK.findall((ROOT / page).read_text())]
    return [(page, re.sub(r"^\$ ", "", block, flags=re.MULTILINE)) for page, block in found]


class Reader:
    """Somebody at a second terminal."""

    def __init__(self, folder: Path) -> None:
        self.checkout = folder / "checkout"
        self.environment = {
            "HOME": str(folder / "home"),
            "TMPDIR": str(folder),
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
        }
        self.typed = ""

    def types(self, block: str) -> "subprocess.Popen[str]":
        """Run a block in a shell that was prepared as the README says."""
        return subprocess.Popen(
            ["bash", "-euo", "pipefail", "-c", f"{self.typed}\n{block}"],
            cwd=self.checkout,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """A reader beside a running `activity dev --ephemeral`."""
    folder = tmp_path_factory.mktemp("reader")
    (folder / "home").mkdir()
    checkout = folder / "checkout"
    shutil.copytree(ROOT / "docs", checkout / "docs")
    (checkout / ".venv").symlink_to(Path(sys.executable).parents[1])
    one = Reader(folder)
    dev = [str(checkout / ".venv/bin/activity"), "dev", "--ephemeral", "--port", str(free_port())]
    out = folder / "dev.out"
    with out.open("wb") as file:
        process = subprocess.Popen(dev, cwd=checkout, env=one.environment, stdout=file, stderr=file)
    try:
        with suppress(TimeoutError):
            wait_until(lambda: "Ctrl-C stops it" in out.read_text() or process.poll() is not None, 120)
        assert "Ctrl-C stops it" in out.read_text(), out.read_text()
        yield one
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


def follows(reader: Reader, block: str) -> None:
    """Type a block that follows, and read on until what it emits is shown."""
    typing = reader.types(block)
    assert typing.stdout is not None
    try:
        assert any("Wants the annual plan" in line for line in typing.stdout)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(typing.pid, signal.SIGKILL)
        typing.communicate(timeout=60)


def test_every_command_of_the_manual_runs_as_it_stands_there(reader: Reader) -> None:
    for page, block in blocks():
        if block.startswith(START):
            continue
        if FOLLOWS in block:
            follows(reader, block)
            continue
        typing = reader.types(block)
        printed, _ = typing.communicate("y\n", timeout=120)  # to what asks whether it may
        assert typing.returncode == 0, f"{page}:\n{block}\n{printed}"
        if "activity env" in block:
            reader.typed = block


def test_no_page_with_commands_is_left_out() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    typed = {path.relative_to(ROOT).as_posix() for path in pages if BLOCK.search(path.read_text())}
    assert typed == {*PAGES, *ELSEWHERE}
