"""The HTTP application: `create_app()` puts the parts together."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Depends, FastAPI

from api import enrichment, playbooks, tasks
from api.access import link, session
from api.access.callers import LiveKeys, check_secrets
from api.http import health, origins, problems
from api.http.encoding import SCHEMAS, problem_answer
from api.http.page import PageRoute
from api.http.parameters import only_known
from api.http.requests import Requests
from api.log import events, proofs, search, writing
from api.log.live import stream
from api.log.live.hub import Hub
from api.mail import receiving, suppressions
from api.records import editing, listing, touch
from api.sequences import enrolments, tracking
from worker.process import heap

ROUTERS = (
    events.router,
    writing.router,
    stream.router,
    search.router,
    proofs.router,
    listing.router,
    touch.router,
    editing.router,
    session.router,
    enrolments.router,
    suppressions.router,
    enrichment.router,
    playbooks.router,
    tasks.router,
)
# What others put into an address is theirs: providers, mail programs, whoever asks for health.
OPEN_ROUTERS = (problems.router, health.router, link.router, tracking.router, receiving.router)


def create_app() -> FastAPI:
    """Return the application; nothing is connected to before the first request."""
    problem_answers: dict[int | str, dict[str, object]] = {
        code: problem_answer(code) for code in (400, 401, 403, 404, 413, 415, 422, 429, 503)
    }
    check_secrets()
    app = FastAPI(
        title="Activity",
        version="1",
        docs_url=None,
        redoc_url=None,
        lifespan=_lifespan,
        responses=problem_answers,
    )
    app.state.live_keys = LiveKeys()
    origins.install(app)
    app.add_middleware(Requests)
    problems.install(app)
    for router in OPEN_ROUTERS:
        app.include_router(router)
    for router in ROUTERS:
        app.include_router(router, dependencies=[Depends(only_known)])
    app.router.default = PageRoute()
    _describe(app)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.hub = Hub()
    heap.freeze()
    yield
    await app.state.hub.stop()


def _describe(app: FastAPI) -> None:
    """Add our schemas to the OpenAPI description, which FastAPI makes of the routes."""
    made = app.openapi

    def openapi() -> dict[str, object]:
        if app.openapi_schema is None:
            made().setdefault("components", {}).setdefault("schemas", {}).update(SCHEMAS)
        assert app.openapi_schema is not None
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # the way FastAPI documents to extend the description
