"""The live stream with very many clients.

Memory, fan-out, idle cost, shutdown, and what a resume of everybody loses.

The server is a process of its own; the clients are in this one. Both are measured on loopback. Baseline of
`last_client_ms`: the same bytes written to the same sockets by a bare asyncio server with no HTTP framework,
in the same run (`bare_last_client_ms`).
"""

import asyncio
import os
import resource
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Any

import psutil

from activity.event import Event
from bench.servers import servers
from cli.dev.ports import free_port

HEARTBEAT_S = 20
ROUNDS = 5  # events whose way to the last client is timed
PATIENCE_S = 120


class Client(asyncio.Protocol):
    """One open stream that counts its events and remembers the id of the last."""

    def __init__(self, request: bytes, crowd: "Crowd") -> None:
        self.request, self.crowd = request, crowd
        self.rest = b""
        self.seqs: list[int] = []
        self.last_id = b""
        self.opened = self.ended = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the stream."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        """Count the frames; the chunk sizes of HTTP lie between lines and are passed over."""
        *lines, self.rest = (self.rest + data).split(b"\n")
        for line in lines:
            if line.startswith(b"id: "):
                self.last_id = line[4:].strip()
            elif line.startswith(b'data: {"event_id"'):
                self.seqs.append(int(self.last_id[-16:]))
                self.crowd.note(self)
            elif line.startswith(b"event: hello"):
                self.opened = True
                self.crowd.note(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Note the end."""
        self.ended = True
        self.crowd.note(self)


class Crowd:
    """All clients."""

    def __init__(self) -> None:
        self.clients: list[Client] = []
        self.changed = asyncio.Event()

    def note(self, client: Client) -> None:
        """Wake who waits for a change."""
        self.changed.set()

    async def until(self, holds: Callable[[Client], bool], patience: float = PATIENCE_S) -> float:
        """Return when something holds of every client, with the moment of the last change."""
        waiting = self.clients
        end = time.perf_counter() + patience
        while waiting := [client for client in waiting if not holds(client)]:
            if time.perf_counter() > end:
                raise TimeoutError(f"{len(waiting)} of {len(self.clients)} clients are not there yet")
            self.changed.clear()
            try:
                await asyncio.wait_for(self.changed.wait(), 1)
            except TimeoutError:
                continue
        return time.perf_counter()

    async def connect(self, number: int, port: int, requests: list[bytes], at_once: int = 200) -> None:
        """Open `number` streams, a few hundred at a time."""
        loop = asyncio.get_running_loop()
        self.clients = []
        for start in range(0, number, at_once):
            opened = [
                loop.create_connection(partial(Client, requests[n % len(requests)], self), "127.0.0.1", port)
                for n in range(start, min(number, start + at_once))
            ]
            self.clients += [client for _, client in await asyncio.gather(*opened)]

    def close(self) -> None:
        """Close every connection."""
        for client in self.clients:
            client.transport.close()


@contextmanager
def _api(port: int) -> Iterator[psutil.Process]:
    """Run `activity serve`."""
    environment = os.environ | {
        "ACTIVITY_STREAM_HEARTBEAT_S": str(HEARTBEAT_S),
        "ACTIVITY_STREAMS_PER_USER": "1000000",
        "ACTIVITY_PORT": str(port),
    }
    process = subprocess.Popen([sys.executable, "-m", "cli.deployment.serve"], env=environment)
    try:
        yield psutil.Process(process.pid)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


async def _up(port: int) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(b"GET /readyz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                answer = await reader.read()
                writer.close()
                if b" 200 " in answer[:20]:
                    return
            except OSError:
                pass
            await asyncio.sleep(0.05)


def _request(key: str, last_id: bytes = b"") -> bytes:
    resume = b"Last-Event-ID: %b\r\n" % last_id if last_id else b""
    return b"GET /v1/stream HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer %b\r\n%b\r\n" % (
        key.encode(),
        resume,
    )


def _say(number: int = 1) -> None:
    """Say events and append them, as the append task does."""
    from db.engine import begin
    from worker.append import append_batch
    from worker.emit import emit

    payload = {
        "name": "Acme renewal",
        "from_stage": "Proposal",
        "to_stage": "Negotiation",
        "amount": "125000.00",
        "currency": "EUR",
    }
    event: dict[str, Any] = {
        "tenant_id": 1,
        "type": "deal.stage_changed",
        "source": "bench",
        "account_id": "acme",
        "payload": payload,
    }
    with begin("producer") as session:
        emit(session, [Event(**event) for _ in range(number)])
    while append_batch(1000):
        pass


def _has(least: int, client: Client) -> bool:
    return len(client.seqs) >= least


async def _fan_out(crowd: Crowd) -> list[float]:
    """Return the milliseconds from before the append to the last client, for each of several events."""
    times = []
    for _ in range(ROUNDS):
        before = len(crowd.clients[0].seqs)
        started = time.perf_counter()
        await asyncio.to_thread(_say)
        at = await crowd.until(partial(_has, before + 1))
        times.append((at - started) * 1000)
    return times


async def _bare(number: int) -> float:
    """Return the milliseconds that a bare asyncio server, a process of its own, takes to the last client."""
    port = free_port()
    process = subprocess.Popen(  # noqa: ASYNC220  # it is no matter of time here
        [sys.executable, "-m", "bench.stream", "--bare", str(port)], stdin=subprocess.PIPE
    )
    try:
        crowd = Crowd()
        async with asyncio.timeout(20):
            while True:
                try:
                    await crowd.connect(1, port, [b"GET / HTTP/1.1\r\n\r\n"])
                    break
                except OSError:
                    await asyncio.sleep(0.05)
        crowd.close()
        await crowd.connect(number, port, [b"GET / HTTP/1.1\r\n\r\n"])
        await crowd.until(lambda client: client.opened)
        assert process.stdin is not None
        times = []
        for count in range(1, ROUNDS + 1):
            started = time.perf_counter()
            process.stdin.write(b"\n")
            process.stdin.flush()
            times.append((await crowd.until(partial(_has, count)) - started) * 1000)
        crowd.close()
        return sorted(times)[len(times) // 2]
    finally:
        process.kill()
        process.wait()


async def _serve_bare(port: int) -> None:
    import uvloop  # noqa: F401  # the loop of this process is set by its caller

    writers: list[asyncio.StreamWriter] = []

    async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nevent: hello\n\n")
        writers.append(writer)

    await asyncio.start_server(meet, "127.0.0.1", port, backlog=4096)
    loop, count = asyncio.get_running_loop(), 0
    while await loop.run_in_executor(None, sys.stdin.buffer.readline):
        count += 1
        frame = b'id: %032d-%016d\ndata: {"event_id":"%b"}\n\n' % (0, count, b"x" * 800)
        for writer in writers:
            if not writer.transport.is_closing():
                writer.write(frame)


@asynccontextmanager
async def _opened(port: int, number: int, requests: list[bytes]) -> AsyncIterator[Crowd]:
    crowd = Crowd()
    await crowd.connect(number, port, requests)
    await crowd.until(lambda client: client.opened)
    try:
        yield crowd
    finally:
        crowd.close()


async def _measure(number: int, key: str) -> dict[str, object]:
    figures: dict[str, object] = {"clients": number, "bare_last_client_ms": round(await _bare(number), 1)}
    port = free_port()
    with _api(port) as process:
        await _up(port)
        async with _opened(port, 1, [_request(key)]):
            before = process.memory_info().rss
            started = time.perf_counter()
            async with _opened(port, number, [_request(key)]) as crowd:
                figures["connect_s"] = round(time.perf_counter() - started, 2)
                figures["kib_per_client"] = round((process.memory_info().rss - before) / 1024 / number, 1)
                times = await _fan_out(crowd)
                figures["last_client_ms"] = round(sorted(times)[len(times) // 2], 1)
                figures["last_client_max_ms"] = round(max(times), 1)
                await asyncio.sleep(HEARTBEAT_S)  # from here on every stream has its heartbeats
                process.cpu_percent()
                await asyncio.sleep(HEARTBEAT_S)
                figures["idle_cpu_pct"] = round(process.cpu_percent(), 1)
                figures["kib_per_client_after"] = round(
                    (process.memory_info().rss - before) / 1024 / number, 1
                )
                places = [client.last_id for client in crowd.clients]
                started = time.perf_counter()
                process.terminate()
                at = await crowd.until(lambda client: client.ended)
                await asyncio.to_thread(process.wait, 30)
                figures["shutdown_s"] = round(time.perf_counter() - started, 2)
                figures["all_ended_s"] = round(at - started, 2)
    await asyncio.to_thread(_say, 50)  # while nobody listens
    with _api(port):
        await _up(port)
        started = time.perf_counter()
        crowd = Crowd()
        await crowd.connect(number, port, [_request(key, place) for place in places])
        await crowd.until(partial(_has, 50))
        figures["resume_all_s"] = round(time.perf_counter() - started, 2)
        await asyncio.to_thread(_say, 10)
        await crowd.until(partial(_has, 60))
        expected = list(range(ROUNDS + 1, ROUNDS + 61))
        figures["lost"] = sum(client.seqs != expected for client in crowd.clients)
        crowd.close()
    return figures


def run(events: int = 10_000) -> dict[str, object]:
    """Measure with `events` clients on one process.

    Needs as many open files in each of two processes (ulimit -n).
    """
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    most = (hard if hard != resource.RLIM_INFINITY else 1_000_000) - 500
    with servers(1):
        from db import access
        from db.engine import begin

        key = access.new_key()
        with begin("producer", 1) as session:
            access.add_key(session, 1, key, "bench", ["read"])
        return asyncio.run(_measure(min(events, most), key))


if __name__ == "__main__":
    import uvloop

    if "--bare" in sys.argv:
        resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
        uvloop.run(_serve_bare(int(sys.argv[-1])))
    else:
        import json

        print(json.dumps(run(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)))
