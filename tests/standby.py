"""A hot standby of an embedded PostgreSQL, which follows it by streaming and can be promoted."""

import subprocess
from contextlib import suppress
from pathlib import Path

import psycopg

from cli.dev.embedded import EmbeddedPostgres
from cli.dev.embedded.postgres import _programs
from cli.dev.embedded.server import EmbeddedServer, ServerFailed


class Standby(EmbeddedPostgres):
    """Made from its primary as `pg_basebackup --write-recovery-conf` makes one."""

    def __init__(self, primary: EmbeddedPostgres, data_dir: Path) -> None:
        super().__init__(data_dir)
        self._primary = primary

    @property
    def password(self) -> str:
        """The primary's: roles are copied."""
        return self._primary.password

    def start(self) -> None:
        """Copy the primary and begin to follow it."""
        EmbeddedServer.start(self)

    def promote(self) -> None:
        """Let it take writes, as a fail-over does."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as admin:
            assert admin.execute("select pg_promote(true, 30)").fetchone() == (True,)

    def _initialise(self) -> None:
        self._cluster.mkdir(mode=0o700)
        self._give(self._cluster)
        made = subprocess.run(
            [
                str(_programs() / "pg_basebackup"),
                *("--pgdata", str(self._cluster), "--write-recovery-conf", "--checkpoint=fast"),
                *("--host=127.0.0.1", f"--port={self._primary.port}", "--username=postgres"),
            ],
            **self._as_user(),
            env={"LC_ALL": "C", "PGPASSWORD": self.password},
            capture_output=True,
            text=True,
            check=False,
        )
        if made.returncode:
            raise ServerFailed(f"pg_basebackup: {made.stderr.strip()}")

    def _ready(self) -> bool:
        with suppress(FileNotFoundError, IndexError):
            lines = (self._cluster / "postmaster.pid").read_text().splitlines()
            return int(lines[0]) == self.pid and lines[7].strip() in ("ready", "standby")
        return False
