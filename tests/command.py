"""The `activity` command, run within a test."""

from typer.testing import CliRunner

from cli.main import app


def activity(*arguments: object, code: int = 0, stdin: str | None = None) -> str:
    """Run it and return what it prints.

    With an exit code that is no success, also what it says of the error.
    """
    result = CliRunner().invoke(
        app, [str(argument) for argument in arguments], input=stdin, catch_exceptions=False
    )
    assert result.exit_code == code, result.output
    return result.output if code else result.stdout
