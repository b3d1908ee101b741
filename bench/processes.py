"""How the append grows with the number of its processes: 1, 2 and 4 in turns, each of one thread."""

import multiprocessing
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from multiprocessing.connection import Connection
from typing import Any

import psycopg

from bench.samples.events import outbound_mail
from bench.servers import timed

COUNTS = (1, 2, 4)
ROUND = 20_000  # events a turn
_START_S = 60  # until a process has begun, or a turn has ended


def processes(admin: psycopg.Connection, events: int, tenants: int) -> dict[str, float]:
    """Measure how many events a second 1, 2 and 4 processes append, over `events` events in turns."""
    admin.execute("alter table activity.event set (autovacuum_enabled = false)")
    seconds = dict.fromkeys(COUNTS, 0.0)
    turns = max(1, events // ROUND // len(COUNTS))
    with _started(max(COUNTS)) as appenders:
        for _ in range(turns):
            for count in COUNTS:
                emit_all(list(outbound_mail(ROUND, tenants)))
                seconds[count] += timed(partial(_turn, appenders[:count]))
    rates = {count: turns * ROUND / spent for count, spent in seconds.items()}
    return {f"processes_{count}_per_s": rate for count, rate in rates.items()} | {
        f"processes_{count}_ratio": rates[count] / rates[1] for count in COUNTS[1:]
    }


def emit_all(said: Sequence[Any]) -> None:
    """Emit events, in transactions of 100."""
    from db.engine import begin
    from worker.emit import emit

    for start in range(0, len(said), 100):
        with begin("producer") as session:
            emit(session, said[start : start + 100])


def drain() -> None:
    """Append until nothing waits that nobody else is at."""
    from activity.settings import settings
    from worker.append import append_batch

    while append_batch(settings().batch_size):
        pass


def _turn(appenders: list[Connection]) -> None:
    for appender in appenders:
        appender.send(True)
    for appender in appenders:
        if not appender.poll(_START_S):
            raise TimeoutError
        appender.recv()
    drain()  # a process that found every tenant taken went home early


@contextmanager
def _started(count: int) -> Iterator[list[Connection]]:
    """Start processes that append all that waits whenever they are told to; end them with the block."""
    context = multiprocessing.get_context("spawn")
    pipes = [context.Pipe() for _ in range(count)]
    started = [context.Process(target=_serve, args=(theirs,), daemon=True) for _, theirs in pipes]
    for process in started:
        process.start()
    ours = [pipe for pipe, _ in pipes]
    try:
        _turn(ours)  # each has its connections before the first turn
        yield ours
    finally:
        for pipe in ours:
            pipe.send(False)
        for process in started:
            process.join(_START_S)


def _serve(pipe: Connection) -> None:
    import structlog

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    while pipe.recv():
        drain()
        pipe.send(True)
