"""How commands find the servers of `activity dev`: from any folder, and from a second terminal."""

import json
import os
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from activity.settings import data_dir
from cli.main import app


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder without any, where this test works."""
    monkeypatch.delenv("ACTIVITY_DATA_DIR", raising=False)
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    inner = tmp_path / "checkout" / "docs" / "examples"
    inner.mkdir(parents=True)
    monkeypatch.chdir(inner)
    return tmp_path


def running(folder: Path, pid: int = os.getpid(), **more: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    endpoints = {"data_dir": str(folder), "api": "http://127.0.0.1:8000", "api_key": "k", "tenant": 1}
    endpoints |= {"redis_url": "redis://:p w@127.0.0.1:8003/0", "pid": pid, **more}
    (folder / "endpoints.json").write_text(json.dumps(endpoints))
    return folder


def test_the_data_folder_is_the_nearest_one_above(nowhere: Path) -> None:
    assert data_dir() == Path(".activity")
    (nowhere / ".activity").mkdir()
    assert data_dir() == nowhere / ".activity"
    (nowhere / "checkout" / ".activity").mkdir()
    assert data_dir() == nowhere / "checkout" / ".activity"


def test_a_folder_of_somebody_else_is_passed_over(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (nowhere / "checkout" / ".activity").mkdir()
    monkeypatch.setattr("os.getuid", lambda: 12345)
    assert data_dir() == Path(".activity")


def test_env_prints_lines_that_a_shell_reads_back(nowhere: Path) -> None:
    folder = running(nowhere / "checkout" / ".activity")
    printed = CliRunner().invoke(app, ["env"])
    read = dict(line.removeprefix("export ").split("=", 1) for line in printed.stdout.splitlines())
    assert {name: shlex.split(value)[0] for name, value in read.items()} == {
        "ACTIVITY_DATA_DIR": str(folder),
        "API": "http://127.0.0.1:8000",
        "KEY": "k",
        "TENANT": "1",
        "BROKER_URL": "redis://:p w@127.0.0.1:8003/0",
    }


def test_env_finds_an_ephemeral_one(nowhere: Path) -> None:
    folder = running(nowhere / "tmp" / "activity-dev-xyz")
    printed = CliRunner().invoke(app, ["env", "--json"])
    assert json.loads(printed.stdout)["ACTIVITY_DATA_DIR"] == str(folder)


def test_env_takes_none_that_was_killed(nowhere: Path) -> None:
    running(nowhere / "checkout" / ".activity", pid=2**22 + 1)
    printed = CliRunner().invoke(app, ["env"])
    assert (printed.exit_code, printed.stdout) == (3, "")
    assert printed.stderr.startswith("activity: no `activity dev` of yours is up")


def test_the_version_is_said() -> None:
    printed = CliRunner().invoke(app, ["--version"])
    assert (printed.exit_code, printed.stdout.split()[0]) == (0, "activity")
