"""`activity env`: what a second terminal and the examples of the manual need, as lines for a shell."""

import json
import os
import shlex
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from cli.dev.dev import EPHEMERAL
from cli.errors import Unreachable
from cli.output import Json


def env(json: Json = False) -> None:
    """Print where the running `activity dev` is, for `eval "$(activity env)"`.

    ACTIVITY_DATA_DIR is for the commands; API, KEY, TENANT and BROKER_URL are what the manual's examples use.
    KEY is a secret.
    """
    from cli.output import print_json

    variables = _variables(_endpoints())
    if json:
        print_json(variables)
    else:
        typer.echo("\n".join(f"export {name}={shlex.quote(value)}" for name, value in variables.items()))


def _variables(endpoints: dict[str, Any]) -> dict[str, str]:
    return {
        "ACTIVITY_DATA_DIR": endpoints["data_dir"],
        "API": endpoints["api"],
        "KEY": endpoints["api_key"],
        "TENANT": str(endpoints["tenant"]),
        "BROKER_URL": endpoints["redis_url"],
    }


def _endpoints() -> dict[str, Any]:
    """Return what the running one wrote. Raises Unreachable."""
    for folder in _folders():
        try:
            endpoints: dict[str, Any] = json.loads((folder / "endpoints.json").read_text())
            os.kill(endpoints["pid"], 0)
        except (OSError, ValueError, KeyError):  # none there, not ours, or left by one that was killed
            continue
        return endpoints
    raise Unreachable(
        "no `activity dev` of yours is up: start one, or name its --data-dir in ACTIVITY_DATA_DIR"
    )


def _folders() -> Iterator[Path]:
    """Yield where it may be: the data folder, then those of --ephemeral, the newest first."""
    from activity.settings import data_dir

    yield data_dir()
    if "ACTIVITY_DATA_DIR" not in os.environ:
        found = (path for path in Path(tempfile.gettempdir()).glob(f"{EPHEMERAL}*") if _is_private(path))
        yield from sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)


def _is_private(folder: Path) -> bool:
    return folder.is_dir() and not folder.is_symlink() and folder.stat().st_uid == os.getuid()
