"""What every command promises of its errors and its start."""

import subprocess
import sys

import pytest
import typer
from sqlalchemy.exc import OperationalError
from typer.testing import CliRunner

from activity.errors import ActivityError
from cli.errors import Unreachable
from cli.main import _Commands, app

HEAVY = ("celery", "fastapi", "psycopg", "pydantic", "redis", "sqlalchemy", "uvicorn")


def failing(error: Exception) -> typer.Typer:
    made = typer.Typer(cls=_Commands)
    made.callback()(lambda: None)

    @made.command()
    def fail() -> None:
        raise error

    return made


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (ActivityError("say it differently"), 2, "activity: say it differently\n"),
        (Unreachable("start it"), 3, "activity: start it\n"),
        (
            OperationalError("select 1", {}, OSError("connection refused")),
            3,
            "activity: cannot reach a server: connection refused\n",
        ),
    ],
)
def test_an_error_is_one_line_and_an_exit_code(error: Exception, code: int, said: str) -> None:
    result = CliRunner().invoke(failing(error), ["fail"])
    assert (result.exit_code, result.stderr, result.stdout) == (code, said, "")


def test_a_defect_keeps_its_traceback() -> None:
    assert isinstance(CliRunner().invoke(failing(KeyError("defect")), ["fail"]).exception, KeyError)


def test_wrong_usage_is_told_by_its_exit_code() -> None:
    assert CliRunner().invoke(app, ["no-such-command"]).exit_code == 2


def test_help_loads_nothing_heavy() -> None:
    code = f"import sys, cli.main; print(*[name for name in {HEAVY!r} if name in sys.modules])"
    loaded = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout.split()
    assert loaded == []
