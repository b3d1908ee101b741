"""The references that are made from code.

`python -m cli.reference` writes them, a test fails when one is stale.
"""

import os
import re
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parent.parent


def settings() -> str:
    """Return docs/settings.md: every environment variable with its meaning and default."""
    from pydantic import SecretStr

    from activity.processes import REQUIRED, read_by
    from activity.settings import Settings

    lines = [
        "# Settings",
        "",
        "Environment variables, read once at the start of a process. Made from `activity/settings.py`.",
        "",
        "A process does not start without those in **bold**.",
        "",
        "| variable | meaning | default | read by |",
    ]
    lines.append("| --- | --- | --- | --- |")
    for name, field in Settings.model_fields.items():
        default = (
            ""
            if field.default is None or field.default_factory or isinstance(field.default, SecretStr)
            else f"`{field.default}`"
        )
        readers = ", ".join(f"**{by}**" if name in REQUIRED[by] else by for by in read_by(name))
        lines.append(f"| `ACTIVITY_{name.upper()}` | {field.description} | {default} | {readers} |")
    return "\n".join(lines) + "\n"


def commands() -> str:
    """Return docs/commands.md: every command with its arguments and options."""
    from typer.main import get_command
    from typer.testing import CliRunner

    from cli.main import app

    lines = ["# Commands", "", "What `activity COMMAND --help` says. Made from `cli/`."]
    group = get_command(app)
    for words in _paths(group):
        printed = (
            CliRunner()
            .invoke(
                app,
                [*words, "--help"],
                env={"COLUMNS": "120", "TERM": "dumb", "NO_COLOR": "1", "TERMINAL_WIDTH": "120"},
            )
            .output
        )
        text = re.sub(r"[ \t]+$", "", printed, flags=re.MULTILINE).strip()
        lines += ["", f"## activity {' '.join(words)}".rstrip(), "", "```text", text, "```"]
    return "\n".join(lines) + "\n"


def _paths(command: object, before: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    inner: dict[str, object] = getattr(command, "commands", {})
    return [before, *(path for name in sorted(inner) for path in _paths(inner[name], (*before, name)))]


def events() -> str:
    """Return docs/events.md: every event type."""
    from activity.catalogue.reference import reference

    return reference()


REFERENCES: dict[str, Callable[[], str]] = {
    "docs/settings.md": settings,
    "docs/commands.md": commands,
    "docs/events.md": events,
}

if __name__ == "__main__":
    os.chdir(ROOT)
    for path, make in REFERENCES.items():
        Path(path).write_text(make())
