"""Keys that links are signed with."""

import pytest

from activity.settings import settings


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACTIVITY_TRACKING_KEYS", "k1:a-secret-of-the-tests")
    settings.cache_clear()
