"""What a person expects of `activity dev`: one command, everything up, nothing left behind."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

import httpx
import psutil
import psycopg
import pytest
from celery import Celery
from celery.utils.nodenames import gethostname
from redis import Redis

from cli.dev.embedded import EmbeddedPostgres
from cli.dev.ports import free_port
from tests.processes import command

pytestmark = pytest.mark.timeout(300)  # whole starts, several of them
ACTIVITY = [sys.executable, "-c", "from cli.main import app; app()"]


def runs(process: psutil.Process) -> bool:
    """Say whether it runs; one that only waits for init to take note of its end does not."""
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


class Dev:
    """One run of `activity dev`."""

    def __init__(self, folder: Path, out: Path, *options: str) -> None:
        self.folder = folder
        self.out = out
        own = {
            name: value for name, value in os.environ.items() if not name.startswith(("ACTIVITY_", "FLOWER_"))
        }
        argv = [*ACTIVITY, "dev", *options]
        with out.open("wb") as file:
            self.process = subprocess.Popen(
                argv, stdout=file, stderr=file, start_new_session=True, env={**own, "TMPDIR": str(folder)}
            )

    def printed(self) -> str:
        return self.out.read_text()

    def until(self, condition: Callable[[], bool], seconds: float = 120) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert self.process.poll() is None, self.printed()
            assert time.monotonic() < deadline, self.printed()
            time.sleep(0.05)

    def until_up(self) -> dict[str, Any]:
        def written() -> list[Path]:  # into the data directory, or with --ephemeral into one in the folder
            return [*self.folder.glob("endpoints.json"), *self.folder.glob("*/endpoints.json")]

        self.until(lambda: bool(written()))
        found: dict[str, Any] = json.loads(written()[0].read_text())
        return found

    def descendants(self, having: str = "") -> list[psutil.Process]:
        found = psutil.Process(self.process.pid).children(recursive=True)
        return [process for process in found if having in command(process)]

    def end(self, number: signal.Signals) -> list[str]:
        """Send a signal, wait for the end, and return the commands of what is there five seconds later."""
        everything = self.descendants()
        commands = {process.pid: command(process) for process in everything}
        seconds = 5 * max(
            1.0, os.getloadavg()[0] / (os.cpu_count() or 1)
        )  # five of a machine that is not busy with other things
        deadline = time.monotonic() + seconds
        self.process.send_signal(number)
        try:
            self.process.wait(seconds)
        finally:
            self.process.kill()
            self.process.wait()
        while (alive := [process for process in everything if runs(process)]) and time.monotonic() < deadline:
            time.sleep(0.05)
        return [commands[process.pid] for process in alive]


@pytest.fixture(scope="module")
def run(postgres: EmbeddedPostgres) -> Iterator[Callable[..., Dev]]:
    """Start runs of `activity dev`, each in a folder of its own unless one is given.

    Depends on a server only to be skipped with it.
    """
    runs: list[Dev] = []
    with TemporaryDirectory(prefix="activity-") as top:

        def start(*options: str, folder: Path | None = None, demo: bool = False) -> Dev:
            folder = folder or Path(top, str(len(runs)))
            folder.mkdir(exist_ok=True)
            where = () if "--ephemeral" in options else ("--data-dir", str(folder))
            what = () if demo else ("--no-demo",)
            runs.append(Dev(folder, Path(top, f"{len(runs)}.out"), *where, *what, *options))
            return runs[-1]

        yield start
        left = [one.end(signal.SIGINT) for one in runs if one.process.poll() is None]
        assert not any(left), left


@pytest.fixture(scope="module")
def dev(run: Callable[..., Dev]) -> Dev:
    return run("--port", str(free_port()), demo=True)


def page(endpoints: dict[str, Any], path: str) -> tuple[int, str]:
    """Return the status and the text of one of Flower's pages."""
    with closing(http.client.HTTPConnection(urlsplit(endpoints["flower"]).netloc, timeout=5)) as flower:
        flower.request("GET", path)
        answer = flower.getresponse()
        return answer.status, answer.read().decode()


def test_everything_answers_where_endpoints_json_says(dev: Dev) -> None:
    endpoints = dev.until_up()
    with psycopg.connect(endpoints["database_url"]) as connection:
        assert connection.execute("select count(*) from activity_version").fetchone() == (1,)
    with Redis.from_url(endpoints["redis_url"]) as client:
        assert client.ping() is True
    assert page(endpoints, "/workers")[0] == 200
    assert httpx.get(f"{endpoints['api']}/readyz").status_code == 200
    subprocess.run(
        [*ACTIVITY, "doctor"], check=True, env={**os.environ, "ACTIVITY_DATA_DIR": endpoints["data_dir"]}
    )
    assert {"api", "append", "producers", "flower"} <= {
        line.split("|")[0].strip() for line in dev.printed().splitlines() if "|" in line
    }


def test_it_says_last_where_the_page_is_and_the_link_signs_in_once(dev: Dev) -> None:
    endpoints = dev.until_up()
    dev.until(lambda: "\nOpen http" in dev.printed())
    said = [line for line in dev.printed().splitlines() if "|" not in line and line.strip()]
    link = next(line for line in said if line.startswith("Open ")).removeprefix("Open ")
    assert said.index(f"Open {link}") > max(n for n, line in enumerate(said) if endpoints["flower"] in line)
    with httpx.Client(follow_redirects=True) as browser:
        assert browser.get(link).url.path == "/"
        assert browser.get(f"{endpoints['api']}/v1/session").json()["tenant"] == endpoints["tenant"]
    assert httpx.get(link).status_code == 410


def test_a_new_workspace_has_a_history_and_lives(dev: Dev) -> None:
    with psycopg.connect(dev.until_up()["database_url"], autocommit=True) as connection:

        def stored() -> int:
            [count] = connection.execute("select count(*) from activity.event").fetchone() or [0]
            return int(count)

        dev.until(lambda: stored() > 300)
        before = stored()
        dev.until(lambda: stored() > before)


def test_flower_shows_what_a_worker_is_made_of(dev: Dev) -> None:
    endpoints = dev.until_up()
    [worker] = dev.descendants("--hostname=append-")
    [name] = [one.removeprefix("--hostname=") for one in worker.cmdline() if one.startswith("--hostname=")]
    path = f"/worker/{name.replace('%h', gethostname())}"
    dev.until(lambda: "activity.append" in page(endpoints, path)[1])


def test_flower_shows_the_words_a_task_is_sent_with(dev: Dev) -> None:
    endpoints = dev.until_up()
    with Celery(broker=endpoints["redis_url"]) as sender:
        sent = sender.send_task("activity.announce", queue="append", argsrepr="the heads, on request")
    dev.until(lambda: "the heads, on request" in page(endpoints, f"/task/{sent.id}")[1])


def test_flower_tells_nobody_of_whom_the_events_of_a_message_are(dev: Dev) -> None:
    endpoints = dev.until_up()
    with Celery(broker=endpoints["redis_url"]) as sender:
        said = [{"actor": "jo@person.example"}]
        sent = sender.send_task("activity.append", args=[said], kwargs={"events": said}, queue="append")
    dev.until(lambda: "(events, not shown)" in page(endpoints, f"/task/{sent.id}")[1])
    for path in (f"/task/{sent.id}", f"/api/task/info/{sent.id}", "/api/tasks"):
        assert "jo@person.example" not in page(endpoints, path)[1]


def test_flower_shows_every_queue(dev: Dev) -> None:
    endpoints = dev.until_up()
    shown = page(endpoints, "/broker")[1]
    assert [queue for queue in ("append", "enrichment", "playbooks", "sequences") if queue not in shown] == []


def test_the_banner_names_every_place_and_no_secret(dev: Dev) -> None:
    endpoints = dev.until_up()
    dev.until(lambda: "development only" in dev.printed())
    for shown in (
        "postgresql://postgres@127.0.0.1:",
        "redis://127.0.0.1:",
        endpoints["flower"],
        str(dev.folder),
    ):
        assert shown in dev.printed()
    kept = json.loads((dev.folder / "settings.json").read_text())
    secrets = [
        urlsplit(kept["database_url"]).password,
        urlsplit(kept["redis_url"]).password,
        kept["api_key"],
        kept["writer_password"],
    ]
    assert [secret for secret in secrets if secret in dev.printed()] == []


def test_what_holds_a_secret_is_private(dev: Dev) -> None:
    dev.until_up()
    for name in ("settings.json", "endpoints.json"):
        assert (dev.folder / name).stat().st_mode & 0o077 == 0


def test_a_killed_worker_comes_back(dev: Dev) -> None:
    dev.until_up()
    [first] = dev.descendants("--hostname=append-")
    first.kill()
    dev.until(lambda: "killed by SIGKILL" in dev.printed())
    dev.until(lambda: any(process.pid != first.pid for process in dev.descendants("--hostname=append-")))


def test_a_second_one_in_the_same_folder_is_refused(dev: Dev, run: Callable[..., Dev]) -> None:
    dev.until_up()
    second = run(folder=dev.folder)
    assert second.process.wait(30) == 3
    [said] = second.printed().splitlines()
    assert said.startswith(f"activity: another `activity dev` runs in {dev.folder}")


def test_a_port_in_use_is_named_and_another_taken(run: Callable[..., Dev]) -> None:
    port = free_port()
    with socket.create_server(("127.0.0.1", port + 1)):
        other = run("--port", str(port))
        assert urlsplit(other.until_up()["flower"]).port == port + 11
        assert f"port {port + 1} is taken: Flower uses {port + 11}" in other.printed()
        assert other.end(signal.SIGTERM) == []
    assert other.process.returncode == 0


def test_ctrl_c_stops_all_of_it_within_five_seconds_and_the_next_start_finds_the_data(
    run: Callable[..., Dev],
) -> None:
    first = run("--port", str(free_port()))
    with psycopg.connect(first.until_up()["database_url"]) as connection:
        connection.execute("create table kept as select 7 as n")
    assert first.end(signal.SIGINT) == []
    assert first.process.returncode == 0
    assert not (first.folder / "endpoints.json").exists()

    second = run("--port", str(free_port()), folder=first.folder)
    with psycopg.connect(second.until_up()["database_url"]) as connection:
        assert connection.execute("select n from kept").fetchone() == (7,)


def test_nothing_outlives_it_when_it_is_killed(run: Callable[..., Dev]) -> None:
    killed = run("--port", str(free_port()))
    killed.until_up()
    assert killed.end(signal.SIGKILL) == []


def test_an_ephemeral_one_leaves_no_data(run: Callable[..., Dev]) -> None:
    ephemeral = run("--ephemeral", "--port", str(free_port()))
    assert Path(ephemeral.until_up()["data_dir"]).is_relative_to(ephemeral.folder)
    assert ephemeral.end(signal.SIGINT) == []
    assert list(ephemeral.folder.iterdir()) == []
