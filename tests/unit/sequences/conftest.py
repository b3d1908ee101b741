"""Keys that links are signed with, and where they lead."""

import pytest

from activity.settings import settings


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACTIVITY_TRACKING_KEYS", "k1:a-secret-of-the-tests")
    monkeypatch.setenv("ACTIVITY_PUBLIC_URL", "http://127.0.0.1:8000")
    settings.cache_clear()
