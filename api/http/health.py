"""For load balancers and monitors: is this process alive, can it work, and its figures."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

import redis
import structlog
from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool

from api.http.encoding import json_response
from db.engine import begin, is_standby
from worker.process.redis import redis_client

log = structlog.get_logger()

router = APIRouter(include_in_schema=False)
_PATIENCE_S = 1.8  # a balancer is told within two seconds, whatever hangs


@router.get("/healthz")
async def alive() -> Response:
    """Say that this process runs; it asks nobody else."""
    return json_response({"status": "ok"})


class _Probe:
    """A question that is asked in a thread of its own, and one at a time however often it is looked at."""

    def __init__(self, ask: Callable[[], bool]) -> None:
        self._ask = ask
        self._asked: asyncio.Task[bool] | None = None

    async def answer(self) -> bool:
        """Return what the question's answer is; False where there is none within _PATIENCE_S."""
        if self._asked is None or self._asked.done():
            self._asked = asyncio.create_task(run_in_threadpool(self._ask))
        with suppress(TimeoutError):
            return await asyncio.wait_for(asyncio.shield(self._asked), _PATIENCE_S)
        return False


def _reads() -> bool:
    try:
        with begin("reader", 0):  # to name a workspace asks the database; none has this number
            pass
    except SQLAlchemyError as error:
        log.warning("database_away", error=type(error).__name__)
        return False
    return True


def _writes() -> bool:
    """Return whether this is the server that takes writes: after a fail-over the old one may be a standby."""
    try:
        with begin("producer") as session:
            return not is_standby(session)
    except SQLAlchemyError as error:
        log.warning("database_away", error=type(error).__name__)
        return False


def _redis_answers() -> bool:
    try:
        return bool(redis_client().ping())
    except (redis.RedisError, ValueError) as error:  # ValueError: a URL that it does not know
        log.warning("redis_away", error=type(error).__name__)
        return False


_NEEDED = {"postgresql": _Probe(_reads), "writable": _Probe(_writes)}
_PROBES = {**_NEEDED, "redis": _Probe(_redis_answers)}


@router.get("/readyz")
async def ready() -> Response:
    """Say whether requests can be answered, within two seconds: 503 while PostgreSQL is away or a standby.

    Without Redis only the stream is slower.
    """
    answers = await asyncio.gather(*(probe.answer() for probe in _PROBES.values()))
    checks = dict(zip(_PROBES, answers, strict=True))
    return json_response(
        {"status": "ok" if all(answers) else "degraded", "checks": checks},
        200 if all(checks[name] for name in _NEEDED) else 503,
    )


@router.get("/metrics")
def metrics() -> Response:
    """Return the figures of this process for Prometheus; no workspace can be told from them."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
