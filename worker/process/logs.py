"""Structured logs: one line an event with a stable key, on standard error."""

import logging
import sys
import time
from collections.abc import Hashable

import structlog

from activity.settings import settings

_SHARED: list[structlog.typing.Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]


_LIBRARIES = ("amqp", "billiard", "celery", "kombu", "redis", "sqlalchemy")
_AGAIN_S = 60.0
_MOST_KINDS = 1000


class Seldom:
    """Lets one line of each kind through a minute: a fault that lasts must not fill the log."""

    def __init__(self) -> None:
        self._logged: dict[Hashable, float] = {}

    def is_due(self, kind: Hashable) -> bool:
        """Return whether a line of this kind is logged now; the next one is not, for a minute."""
        now = time.monotonic()
        if now - self._logged.get(kind, -_AGAIN_S) < _AGAIN_S:
            return False
        if len(self._logged) >= _MOST_KINDS:
            self._logged.clear()
        self._logged[kind] = now
        return True


class OncePerCause(logging.Filter):
    """Lets what a library logs of a fault that lasts through once a minute, in one line.

    A server that is away makes some of them log a traceback a second. What a task was called with is left
    out: it may name people. The traceback of a task that failed is kept, since it may be our own defect.
    """

    def __init__(self) -> None:
        super().__init__()
        self._seldom = Seldom()

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the record is logged, shortened."""
        if record.name.partition(".")[0] not in _LIBRARIES:
            return True
        task = getattr(record, "data", None)
        record.__dict__.pop("data", None)
        if record.levelno < logging.WARNING:
            return True
        error = record.exc_info[1] if record.exc_info else None
        cause = type(error).__name__ if error is not None else ""
        if isinstance(task, dict):
            record.msg = f"task {task.get('name')} failed"
        else:  # what follows the first line is a help text, or a whole message from outside
            lines = record.getMessage().strip().splitlines() or [""]
            record.msg = f"{lines[0][:200]}{' ' * bool(cause)}{cause}"
            record.exc_info = record.exc_text = None
        record.args = ()
        return self._seldom.is_due((record.name, record.msg, cause))


def configure_logging() -> None:
    """Send the log of this process and of its libraries to standard error in the configured form."""
    console = settings().log_format == "console"
    render: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(colors=False) if console else structlog.processors.JSONRenderer()
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*_SHARED, structlog.stdlib.ExtraAdder()],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                render,
            ],
        )
    )
    handler.addFilter(OncePerCause())
    logging.basicConfig(handlers=[handler], level=settings().log_level.upper(), force=True)
    # Celery's two lines a task would repeat the arguments, and say less than the line that each task logs
    # itself.
    for name in ("celery.worker.strategy", "celery.app.trace"):
        logging.getLogger(name).setLevel(logging.WARNING)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_SHARED,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
