"""The Celery app, where `celery -A worker ...` finds it.

A message names work that PostgreSQL already holds; it carries no truth.
"""

from typing import Any

from celery import Celery, bootsteps
from celery.signals import (
    setup_logging,
    task_postrun,
    task_prerun,
    worker_process_init,
    worker_shutting_down,
)
from structlog.contextvars import bind_contextvars, clear_contextvars

from db.engine import forget_connections
from worker.process import broker, heap, watchdog
from worker.process.logs import configure_logging

app = Celery(
    "worker",
    include=[
        "worker.append",
        "worker.announce",
        "producers.log.tasks",
        "producers.enrichment.tasks",
        "producers.mail.tasks",
        "producers.playbooks.tasks",
        "producers.records.tasks",
        "producers.sequences.tasks",
        "producers.signals.tasks",
    ],
)
app.config_from_object("worker.config")


def queues() -> set[str]:
    """Return the names of all queues that workers serve."""
    return {app.conf.task_default_queue, *(route["queue"] for route in app.conf.task_routes.values())}


class _StartClock(bootsteps.StartStopStep):  # type: ignore[misc]  # celery has no types
    """Starts the clocks of a worker whose tasks run in threads; a child of a prefork pool starts its own."""

    requires = ("celery.worker.components:Pool",)

    def start(self, parent: Any) -> None:
        if "prefork" not in parent.pool_cls.__module__:
            _begin()


app.steps["worker"].add(_StartClock)
broker.install(app)


def _begin() -> None:
    from worker.process import clock

    served = set(app.amqp.queues.consume_from or {app.conf.task_default_queue})
    clock.start(served, lambda task: str(app.amqp.router.route({}, task)["queue"].name))
    heap.freeze()


@setup_logging.connect  # type: ignore[untyped-decorator]  # celery has no types
def _log_as_we_do(**_: Any) -> None:
    configure_logging()


@worker_process_init.connect  # type: ignore[untyped-decorator]  # celery has no types
def _start_child(**_: object) -> None:
    forget_connections()
    _begin()


@worker_shutting_down.connect  # type: ignore[untyped-decorator]  # celery has no types
def _shut_down(**_: object) -> None:
    watchdog.end_within()


@task_prerun.connect  # type: ignore[untyped-decorator]  # celery has no types
def _task_begins(task_id: str, task: Any, **_: Any) -> None:
    from worker.process.clock import BOUND_S

    watchdog.begin(task.name, BOUND_S)
    bind_contextvars(task=task.name, task_id=task_id)


@task_postrun.connect  # type: ignore[untyped-decorator]  # celery has no types
def _task_ends(**_: object) -> None:
    watchdog.end()
    clear_contextvars()
