"""The servers that the integration and acceptance tests run on."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import pytest

from cli import ports
from cli.embedded import EmbeddedPostgres, EmbeddedValkey, WheelMissing

S = TypeVar("S", EmbeddedPostgres, EmbeddedValkey)


@contextmanager
def _server_dir() -> Iterator[Path]:
    """A folder whose parents the account of an embedded PostgreSQL can pass, which pytest's own tmp_path forbids to root."""
    with tempfile.TemporaryDirectory(prefix="activity-") as folder:
        yield Path(folder)


def _start(server: S) -> S:
    try:
        server.start()
    except WheelMissing as missing:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(missing))
    return server


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedPostgres]:
    """A PostgreSQL server for the whole run."""
    with _server_dir() as folder:
        server = _start(EmbeddedPostgres(folder))
        yield server
        server.stop("immediate")


@pytest.fixture(scope="session")
def valkey() -> Iterator[EmbeddedValkey]:
    """A Valkey server for the whole run."""
    with _server_dir() as folder:
        server = _start(EmbeddedValkey(folder))
        yield server
        server.stop(kill=True)


@pytest.fixture
def free_port() -> int:
    """A TCP port on 127.0.0.1 that nothing listens on."""
    return ports.free_port()
