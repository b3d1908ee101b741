"""A running API and the streams that are open to it."""

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import httpx

from activity.event import Event
from api.http.app import create_app
from api.http.server import Server
from db.engine import begin
from tests.sse import Frame, SseReader
from worker.append import append_batch
from worker.emit import emit

WITHIN = 10.0  # seconds for anything that is waited for


@contextmanager
def serving(port: int) -> Iterator[Server]:
    """The API on a port, in a thread, until the block ends."""
    server = Server(create_app(), "127.0.0.1", port)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        deadline = time.monotonic() + WITHIN
        while not server.started and time.monotonic() < deadline:
            time.sleep(0.005)
        yield server
    finally:
        server.should_exit = True
        thread.join(WITHIN)
        assert not thread.is_alive()


def say(tenant: int, number: int = 1, **fields: Any) -> None:
    """Say notes and append them."""
    note: dict[str, Any] = {
        "tenant_id": tenant,
        "type": "note.added",
        "source": "manual",
        "account_id": "acme",
        "payload": {"text": "hello"},
    }
    with begin("producer") as session:
        emit(session, [Event(**(note | fields)) for _ in range(number)])
    while append_batch(1000):
        pass


class Reading:
    """An open stream."""

    def __init__(self, response: httpx.Response) -> None:
        self._frames = self._read(response)
        self.last_id = ""

    @staticmethod
    async def _read(response: httpx.Response) -> AsyncIterator[Frame]:
        reader = SseReader()
        async for chunk in response.aiter_raw():
            for frame in reader.feed(chunk):
                yield frame

    async def next(self, *names: str) -> tuple[str, dict[str, Any]]:
        """The next frame, or the next of these names, with its data."""
        while True:
            frame = await asyncio.wait_for(anext(self._frames), WITHIN)
            self.last_id = frame.id
            if not names or frame.name in names:
                return frame.name, json.loads(frame.data)

    async def seqs(self, number: int) -> list[int]:
        """The numbers of the next events."""
        return [(await self.next("message"))[1]["seq"] for _ in range(number)]


@asynccontextmanager
async def stream(
    port: int, key: str, last_id: str | None = None, **parameters: str
) -> AsyncIterator[Reading]:
    """Open a stream."""
    headers = {"Authorization": f"Bearer {key}"} | ({"Last-Event-ID": last_id} if last_id else {})
    client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=WITHIN)
    async with client, client.stream("GET", "/v1/stream", params=parameters) as response:
        assert response.status_code == 200, await response.aread()
        yield Reading(response)
