"""The Celery app: `celery -A worker ...` finds it here. A message names work that PostgreSQL already holds; it carries no truth."""

from typing import Any

from celery import Celery
from celery.signals import setup_logging, task_postrun, task_prerun, worker_process_init
from structlog.contextvars import bind_contextvars, clear_contextvars

from db.engine import forget_connections
from worker.logs import configure_logging

app = Celery(
    "worker",
    include=[
        "worker.append",
        "worker.announce",
        "producers.enrichment.run",
        "producers.enrichment.tasks",
        "producers.mail.inbound.poll",
        "producers.playbooks.tasks",
        "producers.sequences.tasks",
    ],
)
app.config_from_object("worker.config")


@setup_logging.connect  # type: ignore[untyped-decorator]  # celery has no types
def _log_as_we_do(**_: Any) -> None:
    configure_logging()


@worker_process_init.connect  # type: ignore[untyped-decorator]  # celery has no types
def _start_child(**_: Any) -> None:
    forget_connections()


@task_prerun.connect  # type: ignore[untyped-decorator]  # celery has no types
def _name_task_in_logs(task_id: str, task: Any, **_: Any) -> None:
    bind_contextvars(task=task.name, task_id=task_id)


@task_postrun.connect  # type: ignore[untyped-decorator]  # celery has no types
def _forget_task(**_: Any) -> None:
    clear_contextvars()
