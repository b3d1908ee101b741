"""Whatever a person gets wrong outside of the program is one line and an exit code, with every command."""

import errno
import json
import os
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Literal, NoReturn, cast, get_args, get_origin

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError, ProgrammingError
from typer.main import get_command
from typer.testing import CliRunner

from activity.errors import ActivityError
from activity.settings import settings
from cli.errors import Unreachable, words_of
from cli.main import app
from db import migrate
from db.migrate import ServerTooOld

STARTS_SERVERS = {"bench", "dev", "serve"}


def commands(command: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield every command that there is with its words, but for those that start servers."""
    if not hasattr(command, "commands"):
        yield words, command
        return
    for name, inner in command.commands.items():
        if name not in STARTS_SERVERS:
            yield from commands(inner, (*words, name))


COMMANDS = dict(commands(get_command(app)))


def filled(command: Any, file: Path) -> list[str]:
    """Return arguments that a command accepts."""
    given = []
    for parameter in command.params:
        if parameter.required:
            kind = parameter.type_descriptor.annotation
            value = get_args(kind)[0] if get_origin(kind) is Literal else "1" if kind is int else str(file)
            given += [value] if parameter.param_type_name == "argument" else [parameter.opts[0], value]
    return given


@pytest.fixture
def deployment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """A data folder, and everything that a process needs: its servers are away."""

    def replaced(*_: object) -> NoReturn:
        raise SystemExit(0)

    for name in [name for name in os.environ if name.startswith("ACTIVITY_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("ACTIVITY_DATA_DIR", str(tmp_path))
    monkeypatch.setattr("os.execve", replaced)
    settings.cache_clear()
    yield tmp_path
    settings.cache_clear()


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ACTIVITY_BATCH_SIZE", "abc"),
        ("ACTIVITY_SMTP_PASSWORDS", "foo-secret"),
        ("ACTIVITY_REDIS_URL", "foo-secret"),
        ("settings.json", '{"reader_password": foo-secret'),
        ("data_dir", "a file"),
    ],
)
def test_a_wrong_setting_is_one_line(
    deployment: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], name: str, value: str
) -> None:
    file = deployment / "given"
    file.write_text('name = "x"\n')
    if name == "settings.json":
        (deployment / name).write_text(value)
    elif name == "data_dir":
        monkeypatch.setenv("ACTIVITY_DATA_DIR", str(file))
    else:
        monkeypatch.setenv(name, value)
    result = CliRunner().invoke(app, [*words, *filled(COMMANDS[words], file)])
    assert isinstance(result.exception, SystemExit | None), result.exception
    assert result.exit_code in {0, 1, 2, 3}
    assert "foo-secret" not in result.output
    assert result.exit_code < 2 or "activity: " in result.stderr or "Usage" in result.stderr


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("BATCH_SIZE", "abc", "ACTIVITY_BATCH_SIZE: Input should be a valid integer"),
        ("LOG_LEVEL", "loud", "ACTIVITY_LOG_LEVEL: Input should be 'debug', 'info', 'warning' or 'error'"),
        ("PUBLIC_URL", "crm.example.com", "ACTIVITY_PUBLIC_URL: String should match pattern"),
        ("SMTP_PASSWORDS", "secret", "ACTIVITY_SMTP_PASSWORDS is no JSON object"),
        ("SMTP_PASSWORDS", '["secret"]', "ACTIVITY_SMTP_PASSWORDS: Input should be a valid dictionary"),
        ("REDIS_URL", "secret", "ACTIVITY_REDIS_URL: Value error, it must begin with redis://"),
        (
            "DATABASE_URL",
            "mysql://secret",
            "ACTIVITY_DATABASE_URL: Value error, it must begin with postgresql",
        ),
    ],
)
def test_a_setting_that_cannot_be_used_is_named_without_its_value(
    deployment: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, words: str
) -> None:
    monkeypatch.setenv(f"ACTIVITY_{name}", value)
    with pytest.raises(ActivityError) as error:
        settings()
    assert str(error.value).startswith(words)
    assert "secret" not in str(error.value)


def test_what_dev_wrote_and_cannot_be_read_is_named(deployment: Path) -> None:
    (deployment / "settings.json").write_text(json.dumps({"database_pool": "many"}))
    with pytest.raises(ActivityError, match="ACTIVITY_DATABASE_POOL: "):
        settings()
    (deployment / "settings.json").write_text("{")
    with pytest.raises(ActivityError, match=r"settings\.json cannot be read"):
        settings()


class Refusal(Exception):
    """A driver's error with its code."""

    def __init__(self, sqlstate: str) -> None:
        super().__init__("permission denied\nDETAIL: much more")
        self.sqlstate = sqlstate


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (ActivityError("say it differently"), 2, "say it differently"),
        (Unreachable("start it"), 3, "start it"),
        (OperationalError("select", {}, OSError("refused\nmore")), 3, "cannot reach a server: refused"),
        (ProgrammingError("x", {}, Refusal("42501")), 2, "permission denied: the login in ACTIVITY_DATABASE"),
        (ProgrammingError("x", {}, Refusal("42P01")), 2, "permission denied: run `activity migrate` first"),
        (PermissionError(errno.EACCES, "Permission denied", "/etc/x"), 2, "/etc/x: Permission denied"),
        (FileExistsError(errno.EEXIST, "File exists", "/data/x"), 2, "/data/x: File exists"),
        (OSError(errno.EROFS, "Read-only file system", "/x"), 2, "/x: Read-only file system"),
        (IsADirectoryError(errno.EISDIR, "Is a directory", "/x"), 2, "/x: Is a directory"),
        (
            ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"),
            3,
            "cannot reach a server: [",
        ),
        (TimeoutError(), 3, "cannot reach a server: TimeoutError"),
    ],
    ids=lambda given: type(given).__name__ if isinstance(given, Exception) else None,
)
def test_what_is_wrong_outside_has_its_words(error: Exception, code: int, words: str) -> None:
    fault = words_of(error)
    assert fault is not None
    assert fault.code == code
    assert fault.words.startswith(words)
    assert "\n" not in fault.words


@pytest.mark.parametrize(
    "error", [KeyError("x"), OSError("no file"), ProgrammingError("x", {}, Refusal("42601")), ValueError("x")]
)
def test_a_defect_has_none(error: Exception) -> None:
    assert words_of(error) is None


class Asked:
    """A connection whose server says this version."""

    def __init__(self, version: str) -> None:
        self.version = version

    def execute(self, _: object) -> "Asked":
        return self

    def scalar_one(self) -> str:
        return self.version


@pytest.mark.parametrize(
    ("version", "old"),
    [
        ("15.14 (Debian)", True),
        ("17.6", True),
        ("18.1", False),
        ("18beta2", False),
        ("19", False),
    ],
)
def test_an_older_server_is_refused_before_anything_is_made(version: str, old: bool) -> None:
    connection = cast("Connection", Asked(version))
    with pytest.raises(ServerTooOld, match="18 or later is needed") if old else nullcontext():
        migrate._refuse_older_server(connection)
