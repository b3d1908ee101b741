"""A workspace that waits for answers and reports."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from activity.settings import settings
from producers.sequences.definition import WaitStep
from tests.mailserver import Sink, running
from tests.sequences import Workspace, mail


@pytest.fixture
def space(
    admin: psycopg.Connection[Any], tenant: int, free_port: int, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Workspace]:
    """A workspace that has sent Jo the first of two mails of a sequence."""
    monkeypatch.setenv("ACTIVITY_TRACKING_KEYS", "k1:a-secret-of-the-tests")
    settings.cache_clear()
    with running(Sink(), free_port) as sink:
        space = Workspace(admin, tenant, sink.port)
        space.enroll(space.sequence(mail("Renewal"), WaitStep(days=3), mail("Again")), "jo")
        assert space.send().get("sent") == 1
        yield space
