"""A provider farm on 127.0.0.1 that misbehaves on purpose, and counts what it answered.

`python -m bench.farm` runs it as a process.

GET /<provider>/lookup?domain=<domain>  the answer or a fault: domain, provider and how often it asked decide;
                                        a domain such as html.acme.example always gets that fault
GET /counts                             {"answered", "asked", "distinct"}: full good answers, requests,
                                        different answers
"""

import asyncio
import json
import subprocess
import sys
import urllib.request
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

FAULTS = ("500", "429", "hang", "html", "huge", "lie", "cut", "drip")


class Farm(asyncio.Protocol):
    """One connection of a keep-alive HTTP/1.1 server that reads no bodies."""

    def __init__(self, state: "State") -> None:
        self.state = state
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to answer."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer each request that has come."""
        self.buffer += data
        while b"\r\n\r\n" in self.buffer:
            head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
            self.state.answer(self.transport, head.split(b" ", 2)[1].decode())


class State:
    """What the farm counts, and how it decides."""

    def __init__(self, delay_s: float, faults: float) -> None:
        self.delay_s, self.faults = delay_s, faults
        self.asked: Counter[str] = Counter()
        self.answered: Counter[str] = Counter()

    def answer(self, transport: asyncio.Transport, target: str) -> None:
        """Answer one request, now or after the delay."""
        url = urlsplit(target)
        if url.path == "/counts":
            distinct = {f"{key}" for key in self.answered}
            _say(
                transport,
                {"asked": self.asked.total(), "answered": self.answered.total(), "distinct": len(distinct)},
            )
            return
        provider, domain = url.path.split("/")[1], parse_qs(url.query).get("domain", ["?"])[0]
        key = f"{provider}:{domain}"
        self.asked[key] += 1
        fault = self._fault(f"{key}:{self.asked[key]}")
        asyncio.get_running_loop().call_later(self.delay_s, self._answer, transport, key, domain, fault)

    def _fault(self, key: str) -> str | None:
        forced = key.split(":")[1].split(".")[0]
        if forced in FAULTS:
            return forced
        dice = zlib.crc32(key.encode()) / 2**32
        return FAULTS[int(dice / self.faults * len(FAULTS))] if dice < self.faults else None

    def _answer(self, transport: asyncio.Transport, key: str, domain: str, fault: str | None) -> None:
        if transport.is_closing():
            return
        if fault is None:
            self.answered[key] += 1  # counted as it is sent: who does not hear it is charged all the same
            if domain.startswith("unknown."):
                _send(transport, "404 Not Found", b"{}")
                return
            number = zlib.crc32(domain.encode()) % 5000
            _say(
                transport,
                {"company": {"industry": f"industry {number % 40}", "employees": number}, "score": 0.9},
            )
        else:
            _FAULTS[fault](transport)


def _send(
    transport: asyncio.Transport, status: str, body: bytes, kind: str = "application/json", more: str = ""
) -> None:
    transport.write(
        f"HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n{more}\r\n".encode()
        + body
    )


def _say(transport: asyncio.Transport, answer: object) -> None:
    _send(transport, "200 OK", json.dumps(answer).encode())


def _huge(transport: asyncio.Transport) -> None:
    transport.write(
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 10000000\r\n\r\n"
        b'"' + b"x" * 3_000_000
    )
    transport.close()


def _cut(transport: asyncio.Transport) -> None:
    transport.write(b'HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"company":')
    transport.close()


def _drip(transport: asyncio.Transport) -> None:
    """Send a byte now and then, forever."""
    if not transport.is_closing():
        transport.write(b"HTTP/1.1 200 OK\r\n\r\n{")
        _more(transport)


def _more(transport: asyncio.Transport) -> None:
    if not transport.is_closing():
        transport.write(b" ")
        asyncio.get_running_loop().call_later(0.05, _more, transport)


_FAULTS = {
    "500": lambda transport: _send(transport, "500 Oops", b"{}"),
    "429": lambda transport: _send(transport, "429 Slow down", b"{}", more="retry-after: 1\r\n"),
    "hang": lambda transport: None,
    "html": lambda transport: _send(transport, "200 OK", b"<html>Sorry</html>", kind="text/html"),
    "huge": _huge,
    "lie": lambda transport: _say(
        transport, {"company": {"industry": ["wrong"], "employees": "many"}, "score": 0.9}
    ),
    "cut": _cut,
    "drip": _drip,
}


@contextmanager
def running(delay_s: float = 0.001, faults: float = 0.0) -> Iterator[int]:
    """Run a farm as a process for the time of the block; yield its port."""
    argv = [sys.executable, "-m", "bench.farm", str(delay_s), str(faults)]
    process = subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[1]
    )
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline())
    finally:
        process.communicate("")


def counts(port: int) -> dict[str, int]:
    """Return what the farm on this port has counted by now."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/counts") as answer:
        figures: dict[str, int] = json.load(answer)
        return figures


async def serve(delay_s: float, faults: float) -> None:
    """Serve until standard input ends; the first line printed is the port."""
    state = State(delay_s, faults)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Farm(state), "127.0.0.1", 0, backlog=1000)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(serve(float(sys.argv[1]), float(sys.argv[2])))
