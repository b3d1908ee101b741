"""A farm of providers and configurations that name them."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from activity.settings import settings
from bench.farm import running
from tests.enrichment import FIELDS, provider


@pytest.fixture(scope="module")
def farm() -> Iterator[int]:
    """The port of a farm that answers, but for domains that name a fault."""
    with running() as port:
        yield port


@pytest.fixture
def configure(
    environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., None]:
    """A function that makes a text the configuration."""

    def use(*parts: str) -> None:
        path = tmp_path / f"{time.monotonic_ns()}.toml"
        path.write_text("\n".join(parts))
        monkeypatch.setenv("ACTIVITY_ENRICHMENT_CONFIG", str(path))
        monkeypatch.setenv("ACTIVITY_OUTBOUND_ALLOW", "127.0.0.1/32")
        settings.cache_clear()

    return use


@pytest.fixture
def two(configure: Callable[..., None], farm: int) -> None:
    """Two providers of the farm."""
    configure(provider("orbit", farm), provider("lumen", farm, cost="0.02"), FIELDS)
