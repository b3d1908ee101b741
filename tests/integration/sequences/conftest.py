"""A mail server and a workspace that sends through it."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from activity.settings import settings
from tests.mailserver import Sink, running
from tests.sequences import Workspace


@pytest.fixture
def sink(
    environment: dict[str, str],
    free_port: int,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> Iterator[Sink]:
    monkeypatch.setenv("ACTIVITY_TRACKING_KEYS", "k1:a-secret-of-the-tests")
    monkeypatch.setenv("ACTIVITY_SMTP_RETRY_S", "60")
    settings.cache_clear()
    with running(Sink(pipelining=getattr(request, "param", True)), free_port) as server:
        yield server


@pytest.fixture
def space(admin: psycopg.Connection[Any], tenant: int, sink: Sink) -> Workspace:
    return Workspace(admin, tenant, sink.port)
