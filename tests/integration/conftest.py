"""What the tests of the HTTP API share."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest


@pytest.fixture
def key(tenant: int) -> str:
    """An API key of the workspace that may do everything."""
    from db import access
    from db.engine import begin

    made = access.new_key()
    with begin("producer", tenant) as session:
        access.add_key(session, tenant, made, "tests", access.SCOPES, "ana@example.com")
    return made


@pytest.fixture
def send(key: str) -> Callable[..., httpx.Response]:
    """A function that sends a request to the API with the key.

    A body is sent as JSON, header names have _ for -.
    """
    from api.http.app import create_app

    def request(method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        async def once() -> httpx.Response:
            named = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
            named |= {name.replace("_", "-"): value for name, value in headers.items()}
            content = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
            async with httpx.AsyncClient(
                transport=httpx.ASGITransport(create_app()), base_url="http://api"
            ) as client:
                return await client.request(
                    method,
                    path,
                    content=content,
                    headers={name: value for name, value in named.items() if value},
                )

        return asyncio.run(once())

    return request


@pytest.fixture
def appending(environment: dict[str, str]) -> Iterator[None]:
    """The append task, at work as long as the test runs."""
    from worker.append import append_batch

    stop = threading.Event()

    def work() -> None:
        while not stop.wait(0.005):
            append_batch(1000)

    thread = threading.Thread(target=work)
    thread.start()
    yield
    stop.set()
    thread.join()
