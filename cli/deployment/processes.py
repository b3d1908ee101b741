"""The processes a deployment is made of.

`activity dev` runs all of them, and each is a command of its own.
"""

import os
import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn

import typer

if TYPE_CHECKING:
    from activity.processes import Process

from cli.dev.supervisor import Child

FLOWER_CONFIG = Path(__file__).with_name("flowerconfig.py")
_SILENT = {"ACTIVITY_LOG_LEVEL": os.environ.get("ACTIVITY_LOG_LEVEL", "warning")}


def processes() -> list[Child]:
    """Return every process that runs all the time, in the order of their start."""
    return [
        Child("api", (sys.executable, "-m", "cli.deployment.serve")),
        Child("append", _worker("append", "append", "--pool=threads", "--concurrency=2")),
        Child(
            "producers",
            _worker(
                "producers", "sequences,enrichment,playbooks,default", "--pool=prefork", "--concurrency=2"
            ),
        ),
        Child("beat", _celery("beat", f"--schedule={_data_dir() / 'beat'}"), _SILENT),
        Child("flower", _celery("flower", f"--conf={FLOWER_CONFIG}")),
    ]


def demo() -> Child:
    """Return the process that keeps the demo workspace alive, beside those of a deployment."""
    return Child("demo", (sys.executable, "-m", "cli.dev.demo", "--live"))


def _celery(*arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "celery", "--quiet", "-A", "worker", *arguments)


def _worker(name: str, queues: str, *pool: str) -> tuple[str, ...]:
    # Gossip and mingle are for workers that look for each other: ours do not, and start a second sooner
    # without. Each has a name of its own: of two with one name Flower and `doctor` would see one.
    hostname = f"--hostname={name}-{secrets.token_hex(2)}@%h"
    return _celery("worker", f"--queues={queues}", hostname, "--without-gossip", "--without-mingle", *pool)


def _data_dir() -> Path:
    from activity.settings import settings

    folder = settings().data_dir
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


def _become(name: "Process", *more: str) -> NoReturn:
    """Replace this process by the named one, if it has what it needs."""
    from activity.processes import check

    check(name)
    _, argv, env = next(child for child in processes() if child.name == name)
    os.execve(argv[0], [*argv, *more], {**os.environ, **env})  # noqa: S606  # no shell is the point: the signals of a process manager reach Celery itself


def worker(
    name: Annotated[
        Literal["append", "producers"],
        typer.Argument(help="append, or producers: sequences, enrichment, playbooks."),
    ],
    concurrency: Annotated[
        int | None, typer.Option(min=1, help="How many tasks it runs at once, instead of 2.")
    ] = None,
    hostname: Annotated[
        str | None,
        typer.Option(
            help="Its name, such as append@%h, for a health check; without it one that no other has."
        ),
    ] = None,
) -> None:
    """Run one Celery worker."""
    given = {"concurrency": concurrency, "hostname": hostname}
    _become(name, *(f"--{option}={value}" for option, value in given.items() if value))


def beat() -> None:
    """Send the tasks of a timetable. Optional: workers look for due work themselves; two do no harm."""
    _become("beat")


def flower() -> None:
    """Run Flower, the web page that shows the workers and their tasks (its port: FLOWER_PORT, else 5555)."""
    _become("flower")
