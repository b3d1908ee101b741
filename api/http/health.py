"""For load balancers and monitors: is this process alive, can it work, and its figures."""

import redis
import structlog
from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from sqlalchemy.exc import SQLAlchemyError

from api.http.encoding import json_response
from db.engine import begin
from worker.process.redis import redis_client

log = structlog.get_logger()

router = APIRouter(include_in_schema=False)


@router.get("/healthz")
async def alive() -> Response:
    """Say that this process runs; it asks nobody else."""
    return json_response({"status": "ok"})


@router.get("/readyz")
def ready() -> Response:
    """Say whether requests can be answered: 503 while PostgreSQL is away.

    Without Redis only the stream is slower.
    """
    checks = {"postgresql": _database_answers(), "redis": _redis_answers()}
    return json_response(
        {"status": "ok" if all(checks.values()) else "degraded", "checks": checks},
        200 if checks["postgresql"] else 503,
    )


def _database_answers() -> bool:
    try:
        with begin("reader", 0):  # to name a workspace asks the database; none has this number
            pass
    except SQLAlchemyError as error:
        log.warning("database_away", error=type(error).__name__)
        return False
    return True


def _redis_answers() -> bool:
    try:
        return bool(redis_client().ping())
    except redis.RedisError as error:
        log.warning("redis_away", error=type(error).__name__)
        return False


@router.get("/metrics")
def metrics() -> Response:
    """Return the figures of this process for Prometheus; no workspace can be told from them."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
