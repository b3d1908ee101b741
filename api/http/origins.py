"""Which other sites may show the timeline in their pages.

They call with a token of theirs, never with our cookie.
"""

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from activity.settings import settings

_SENT = ("Authorization", "Content-Type", "Idempotency-Key", "Last-Event-ID", "Prefer")
_READ = ("Idempotent-Replayed", "Retry-After", "X-Request-ID")


def install(app: FastAPI) -> None:
    """Let the pages of ACTIVITY_EMBED_ORIGINS call this application.

    Without any, browsers keep other sites out.
    """
    origins = settings().embed_origins.split()
    if origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_methods=("GET", "POST"),
            allow_headers=_SENT,
            expose_headers=_READ,
            max_age=600,
        )
