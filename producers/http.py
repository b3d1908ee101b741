"""Requests to addresses that others chose: a customer's web site, a webhook, a provider.

They reach the public internet and nothing inside.

The address that is checked is the address that is connected to, on every connection and so on every redirect:
a name that resolves to another address a moment later gains nothing. Time and size are bounded, cookies and
proxies of the environment are not used.
"""

import asyncio
import ssl
import zlib
from collections.abc import Iterable, Mapping
from functools import cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from itertools import cycle
from types import TracebackType
from typing import Any, NamedTuple, Self

import httpcore
import httpx

from activity.errors import ActivityError
from activity.settings import settings

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address

MAX_BYTES = 1_000_000
TIMEOUT_S = 10.0
_REDIRECTS = {301, 302, 303, 307, 308}
_ADDRESSES = 4  # of one name are tried at the most
_SENT_ACROSS_ORIGINS = ("accept", "accept-language", "user-agent")
_A_POOL = 8  # requests at once: for each request a pool looks at every connection that it has
_NAT64 = ip_network("64:ff9b::/96")


class OutboundFailed(ActivityError):
    """A request got no usable answer: the connection failed, or it took too long. Trying again may help."""


class OutboundRefused(OutboundFailed):
    """A request that is not made: its address is not public, or no web address.

    ACTIVITY_OUTBOUND_ALLOW names networks to allow.
    """


class AnswerUnusable(OutboundFailed):
    """The answer is too large, or not what it says it is."""


class Answer(NamedTuple):
    """What a server answered, whatever its status. `url` is where the redirects ended."""

    status: int
    headers: httpx.Headers
    body: bytes
    url: str


def is_public(address: Address) -> bool:
    """Say whether an address is on the public internet.

    An IPv4 address inside an IPv6 one counts as itself.
    """
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
        if address in _NAT64:
            inner = IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(inner)
        if address.is_site_local:
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved


@cache
def networks(listed: str) -> tuple[Network, ...]:
    """Return the networks of a comma-separated setting."""
    try:
        return tuple(ip_network(part.strip()) for part in listed.split(",") if part.strip())
    except ValueError as error:
        raise ActivityError(
            f"ACTIVITY_OUTBOUND_ALLOW: {error}: write networks such as 10.1.0.0/16,127.0.0.1/32"
        ) from None


class _CheckedBackend(httpcore.AsyncNetworkBackend):
    """Resolves a name, checks what it resolves to, and connects to exactly that."""

    def __init__(self, allow: tuple[Network, ...]) -> None:
        self._allow = allow
        self._backend = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first address of `host` that may be reached and answers."""
        error: Exception = OutboundFailed(f"{host} has no address")
        for address in (await self._permitted(host, port))[:_ADDRESSES]:
            try:
                return await self._backend.connect_tcp(
                    str(address), port, timeout, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as failed:
                error = failed
        raise error

    async def _permitted(self, host: str, port: int) -> list[Address]:
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=1)  # SOCK_STREAM
        except (OSError, UnicodeError):
            raise OutboundFailed(f"{host} cannot be resolved") from None
        addresses = [ip_address(str(entry[4][0]).split("%")[0]) for entry in found]
        permitted = [
            address
            for address in addresses
            if is_public(address) or any(address in network for network in self._allow)
        ]
        if addresses and not permitted:
            raise OutboundRefused(
                f"{host} is no public address: to allow it, name its network in ACTIVITY_OUTBOUND_ALLOW"
            )
        return permitted

    async def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[object] | None = None
    ) -> httpcore.AsyncNetworkStream:
        """Refuse: nothing outside is behind a socket file."""
        raise OutboundRefused("a socket file is no public address")

    async def sleep(self, seconds: float) -> None:
        """Sleep."""
        await self._backend.sleep(seconds)


@cache
def _tls() -> ssl.SSLContext:
    return httpx.create_ssl_context()  # takes milliseconds, and is the same for all


class _CheckedTransport(httpx.AsyncHTTPTransport):
    """httpx's own transport over connections that are checked."""

    def __init__(self, allow: tuple[Network, ...]) -> None:
        super().__init__(verify=_tls(), trust_env=False)
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=_tls(),
            max_connections=None,
            max_keepalive_connections=8 * _A_POOL,
            network_backend=_CheckedBackend(allow),
        )


class Outbound:
    """A client for requests to addresses that others chose.

    Use it as an async context manager, and one for many requests.

    `connections` is about how many requests are under way at once; it bounds none of them. `allow` are
    networks that may be reached though they are not public, by default those of ACTIVITY_OUTBOUND_ALLOW.
    """

    def __init__(self, *, allow: tuple[Network, ...] | None = None, connections: int = 100) -> None:
        permitted = networks(settings().outbound_allow) if allow is None else allow
        self._transports = [_CheckedTransport(permitted) for _ in range(-(-connections // _A_POOL))]
        self._next = cycle(self._transports)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for transport in self._transports:
            await transport.aclose()

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        timeout_s: float = TIMEOUT_S,
        max_bytes: int = MAX_BYTES,
        redirects: int = 5,
    ) -> Answer:
        """Send a request and return the answer, whatever its status.

        `timeout_s` bounds all of it, the redirects of a GET included.

        Raises OutboundRefused, AnswerUnusable or OutboundFailed, whose texts name the host and never the rest
        of the URL.
        """
        try:
            async with asyncio.timeout(timeout_s):
                return await self._follow(
                    method, _checked(url), dict(headers or {}), content, timeout_s, max_bytes, redirects
                )
        except (TimeoutError, httpx.TimeoutException):
            raise OutboundFailed(f"{_host(url)} did not answer within {timeout_s:g} s") from None
        except (
            httpx.HTTPError,
            httpcore.ProtocolError,
            httpcore.NetworkError,
            ssl.SSLError,
            OSError,
        ) as error:
            raise OutboundFailed(f"{_host(url)}: {type(error).__name__}") from None
        except (
            httpx.InvalidURL,
            UnicodeError,
            ValueError,
        ) as error:  # headers that cannot be sent, a redirect to no URL
            raise OutboundRefused(
                f"{_host(url)}: the request cannot be made ({type(error).__name__})"
            ) from None

    async def _follow(
        self,
        method: str,
        url: httpx.URL,
        headers: dict[str, str],
        content: bytes | None,
        timeout_s: float,
        max_bytes: int,
        redirects: int,
    ) -> Answer:
        while True:
            answer = await self._send(method, url, headers, content, timeout_s, max_bytes)
            target = answer.headers.get("location")
            if answer.status not in _REDIRECTS or not target or method not in ("GET", "HEAD"):
                return answer
            if redirects <= 0:
                raise AnswerUnusable(f"{url.host} redirects too often")
            redirects -= 1
            there = _checked(str(url.join(target)))
            if url.scheme == "https" and there.scheme != "https":
                raise OutboundRefused(f"{url.host} redirects from https to http")
            if (there.scheme, there.host, there.port) != (
                url.scheme,
                url.host,
                url.port,
            ):  # what was meant for one is not for another
                headers = {
                    name: value for name, value in headers.items() if name.lower() in _SENT_ACROSS_ORIGINS
                }
            url = there

    async def _send(
        self,
        method: str,
        url: httpx.URL,
        headers: dict[str, str],
        content: bytes | None,
        timeout_s: float,
        max_bytes: int,
    ) -> Answer:
        request = httpx.Request(
            method,
            url,
            headers={
                "user-agent": "crm-activity",
                "accept-encoding": "gzip",
                **{name.lower(): value for name, value in headers.items()},
            },
            content=content,
            extensions={"timeout": dict.fromkeys(("connect", "read", "write", "pool"), timeout_s)},
        )
        response = await next(self._next).handle_async_request(request)
        try:
            body = bytearray()
            async for part in response.aiter_raw():
                body += part
                if len(body) > max_bytes:
                    raise AnswerUnusable(f"{url.host} answered with more than {max_bytes:,} bytes")
            return Answer(
                response.status_code,
                response.headers,
                _decoded(url.host, response.headers, bytes(body), max_bytes),
                str(url),
            )
        finally:
            await response.aclose()


def send(method: str, url: str, *, allow: tuple[Network, ...] | None = None, **options: Any) -> Answer:
    """Do as `Outbound.request` from code that is not asynchronous, with the same options."""

    async def once() -> Answer:
        async with Outbound(allow=allow, connections=1) as outbound:
            return await outbound.request(method, url, **options)

    return asyncio.run(once())


def _checked(url: str) -> httpx.URL:
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, UnicodeError, ValueError):
        raise OutboundRefused("that is no URL: write https://host/path") from None
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise OutboundRefused("only http and https addresses are reached")
    if parsed.userinfo:
        raise OutboundRefused(f"{parsed.host}: a URL with a password in it is not used: send a header")
    return parsed


def _host(url: str) -> str:
    try:
        return httpx.URL(url).host or "the address"
    except (httpx.InvalidURL, UnicodeError, ValueError):
        return "the address"


def _decoded(host: str, headers: httpx.Headers, body: bytes, max_bytes: int) -> bytes:
    """Return the body decompressed, which a small answer that unfolds to a huge one does not survive."""
    encoding = headers.get("content-encoding", "identity").strip().lower()
    if encoding == "identity" or not body:
        return body
    if encoding not in ("gzip", "x-gzip"):
        raise AnswerUnusable(f"{host} compresses its answer in a way it was not asked for")
    try:
        plain = zlib.decompressobj(wbits=31).decompress(body, max_bytes + 1)
    except zlib.error:
        raise AnswerUnusable(f"{host} answered with broken gzip") from None
    if len(plain) > max_bytes:
        raise AnswerUnusable(f"{host} answered with more than {max_bytes:,} bytes")
    return plain
