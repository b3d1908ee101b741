"""What the client for other people's addresses refuses, over real sockets."""

import asyncio
import gzip
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from ipaddress import ip_address
from typing import Any

import pytest

from producers.http import (
    Answer,
    AnswerUnusable,
    Outbound,
    OutboundFailed,
    OutboundRefused,
    is_public,
    networks,
    send,
)

LOOPBACK = networks("127.0.0.1/32")
Reply = Callable[[asyncio.StreamReader, asyncio.StreamWriter, str], Awaitable[None]]


@asynccontextmanager
async def server(reply: Reply, host: str = "127.0.0.1") -> AsyncIterator[str]:
    """A raw HTTP server that hands each request's head to `reply`."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reply(reader, writer, (await reader.readuntil(b"\r\n\r\n")).decode())
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client had enough
        finally:
            writer.close()

    listening = await asyncio.start_server(serve, host, 0)
    try:
        yield f"http://{host}:{listening.sockets[0].getsockname()[1]}"
    finally:
        listening.close()


def says(status: str, body: bytes = b"", **headers: str) -> Reply:
    async def reply(_: asyncio.StreamReader, writer: asyncio.StreamWriter, head: str) -> None:
        lines = [
            f"HTTP/1.1 {status}",
            f"content-length: {len(body)}",
            *(f"{name}: {value}" for name, value in headers.items()),
        ]
        writer.write("\r\n".join([*lines, "connection: close", "", ""]).encode() + body)
        await writer.drain()

    return reply


def ask(reply: Reply, path: str = "/", allow: Any = LOOPBACK, **options: Any) -> Answer:
    async def once() -> Answer:
        async with server(reply) as base, Outbound(allow=allow) as outbound:
            return await outbound.request("GET", base + path, **options)

    return asyncio.run(once())


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.0.0.1",
        "192.168.1.1",
        "172.16.0.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1",
        "fd00::1",
        "fec0::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "240.0.0.1",
    ],
)
def test_an_address_inside_is_not_public_in_any_dress(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize("address", ["1.1.1.1", "93.184.215.14", "2606:4700:4700::1111", "::ffff:1.1.1.1"])
def test_an_address_of_the_internet_is_public(address: str) -> None:
    assert is_public(ip_address(address))


def test_an_answer_is_given_whole() -> None:
    answer = ask(says("404 Not Found", b"gone"))
    assert (answer.status, answer.body) == (404, b"gone")


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]", "127.1"]
)
def test_this_machine_is_not_reached_however_it_is_written(host: str) -> None:
    with pytest.raises(OutboundRefused, match="ACTIVITY_OUTBOUND_ALLOW"):
        send("GET", f"http://{host}:9/", allow=())


@pytest.mark.parametrize(
    "url",
    ["file:///etc/passwd", "gopher://x/", "http://", "//x", "http://u:secret@example.com/", "http://[::1"],
)
def test_what_is_no_plain_web_address_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(OutboundRefused) as refused:
        send("GET", url)
    assert "secret" not in str(refused.value)


def test_a_redirect_to_the_inside_is_refused() -> None:
    with pytest.raises(OutboundRefused, match=r"169\.254\.169\.254 is no public address"):
        ask(says("302 Found", location="http://169.254.169.254/latest/meta-data"))


def test_a_redirect_to_another_origin_does_not_take_the_secret_along() -> None:
    heads: list[str] = []

    async def remember(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: str) -> None:
        heads.append(head.lower())
        await says("200 OK", b"ok")(reader, writer, head)

    async def run() -> Answer:
        async with (
            server(remember) as there,
            server(says("307 Moved", location=there + "/x")) as here,
            Outbound(allow=LOOPBACK) as outbound,
        ):
            return await outbound.request(
                "GET",
                here,
                headers={"Authorization": "Bearer secret", "X-Key": "secret", "Accept": "text/html"},
            )

    assert asyncio.run(run()).body == b"ok"
    assert "secret" not in heads[0]
    assert "accept: text/html" in heads[0]


def test_redirects_without_end_are_given_up() -> None:
    with pytest.raises(AnswerUnusable, match="too often"):
        ask(says("302 Found", location="/again"))


def test_the_address_that_is_checked_is_the_one_that_is_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    real, resolved = socket.getaddrinfo, []

    def rebinding(host: Any, *rest: Any, **more: Any) -> Any:
        if host != "rebinding.example":
            return real(host, *rest, **more)
        resolved.append(host)
        return real("127.0.0.2" if len(resolved) == 1 else "127.0.0.1", *rest, **more)

    async def run() -> Answer:
        async with (
            server(says("200 OK", b"checked"), "127.0.0.2") as base,
            Outbound(allow=networks("127.0.0.2/32")) as outbound,
        ):
            return await outbound.request("GET", base.replace("127.0.0.2", "rebinding.example"))

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    assert asyncio.run(run()).body == b"checked"
    assert len(resolved) == 1


def test_a_huge_answer_is_cut_off() -> None:
    with pytest.raises(AnswerUnusable, match="more than 1,000 bytes"):
        ask(says("200 OK", b"x" * 5000), max_bytes=1000)


def test_a_small_answer_that_unfolds_to_a_huge_one_is_refused() -> None:
    bomb = gzip.compress(bytes(50_000_000))
    with pytest.raises(AnswerUnusable, match="more than 100,000 bytes"):
        ask(says("200 OK", bomb, **{"content-encoding": "gzip"}), max_bytes=100_000)
    assert ask(says("200 OK", gzip.compress(b"small"), **{"content-encoding": "gzip"})).body == b"small"


def test_an_endless_answer_ends_in_time() -> None:
    async def drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter, head: str) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.01)

    with pytest.raises(OutboundFailed, match=r"within 0\.3 s"):
        ask(drip, timeout_s=0.3)


def test_a_server_that_hangs_up_or_talks_nonsense_is_a_failure() -> None:
    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter, head: str) -> None:
        writer.close()

    async def nonsense(_: asyncio.StreamReader, writer: asyncio.StreamWriter, head: str) -> None:
        writer.write(b"\x00\x01\x02 what?\r\n\r\n")

    for reply in (hang_up, nonsense, says("200 OK", b"not gzip", **{"content-encoding": "gzip"})):
        with pytest.raises(OutboundFailed):
            ask(reply)


def test_an_error_names_the_host_and_not_the_rest_of_the_url() -> None:
    with pytest.raises(OutboundFailed) as failed:
        send("GET", "http://127.0.0.1:1/?key=secret", allow=LOOPBACK)
    assert "127.0.0.1" in str(failed.value)
    assert "secret" not in str(failed.value)
