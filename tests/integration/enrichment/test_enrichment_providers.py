"""What each kind of provider makes of real servers, good and bad."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from db.records.values import EnrichedKind
from producers.enrichment.calls.provider_queue import ProviderQueue
from producers.enrichment.calls.results import CallResult
from producers.enrichment.configuration import FieldConfig, ProviderConfig
from producers.enrichment.provider import (
    EnrichmentProvider,
    FoundValue,
    ProviderAnswer,
    ProviderFailed,
    Question,
    make,
)
from producers.http import Outbound, networks
from producers.signals.configuration import InvalidConfiguration

LOOPBACK = networks("127.0.0.1/32")
INDUSTRY = {"industry": FieldConfig(providers=("it",))}
Handler = Callable[[str, bytes], tuple[str, dict[str, str], bytes]]


def question(*fields: str, kind: EnrichedKind = "account", tenant: int = 1, **values: Any) -> Question:
    return Question(tenant, "acme-inc", kind, "r1", values, fields, "key-1")


def ask(
    uses: str, options: dict[str, Any], *questions: Question, **config: Any
) -> list[ProviderAnswer | None]:
    """Put questions to a provider, one call for as many as it takes."""

    async def run() -> list[ProviderAnswer | None]:
        async with Outbound(allow=LOOPBACK) as outbound:
            provider: EnrichmentProvider = make(
                "it", ProviderConfig(uses=uses, options=options, **{"timeout_s": 1, **config}), outbound
            )
            askable = [one for one in questions if provider.key(one) is not None]
            answers = iter(await provider.ask(askable)) if askable else iter(())
            return [next(answers) if one in askable else None for one in questions]

    return asyncio.run(run())


@asynccontextmanager
async def web(handle: Handler) -> AsyncIterator[str]:
    """An HTTP server that answers each request with what `handle(target, body)` returns."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        lengths = [line for line in head.split("\r\n") if line.lower().startswith("content-length:")]
        body = await reader.readexactly(int(lengths[0].split(":")[1]) if lengths else 0)
        status, headers, answer = handle(head, body)
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        writer.write(
            f"HTTP/1.1 {status}\r\n{lines}content-length: {len(answer)}\r\nconnection: close\r\n\r\n".encode()
            + answer
        )
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


def ask_web(
    handle: Handler, uses: str, options: Callable[[str], dict[str, Any]], *questions: Question
) -> list[ProviderAnswer]:
    async def run() -> list[ProviderAnswer]:
        async with web(handle) as base, Outbound(allow=LOOPBACK) as outbound:
            provider = make("it", ProviderConfig(uses=uses, options=options(base), timeout_s=1), outbound)
            return list(await provider.ask(questions))

    return asyncio.run(run())


# --- JSON over HTTP ---


def lookup(base: str) -> dict[str, Any]:
    return {
        "url": base + "/v1/{domain}?who={name}",
        "headers": {"Authorization": "Bearer {env:ORBIT_KEY}", "Idempotency-Key": "{idempotency_key}"},
        "fields": {"industry": "data.industry", "employees": "data.size.count"},
        "confidence": "data.score",
    }


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORBIT_KEY", "s3cret")


def test_a_json_answer_is_read_by_its_paths_and_the_secret_goes_into_the_header_alone() -> None:
    heads: list[str] = []

    def handle(head: str, _: bytes) -> tuple[str, dict[str, str], bytes]:
        heads.append(head)
        return (
            "200 OK",
            {},
            json.dumps({"data": {"industry": "Logistics", "size": {"count": 12}, "score": 0.75}}).encode(),
        )

    (answer,) = ask_web(
        handle,
        "http_json",
        lookup,
        question("industry", "employees", domain="acme.example", name="A & B/../x"),
    )
    assert answer == {"industry": FoundValue("Logistics", 0.75), "employees": FoundValue(12, 0.75)}
    assert heads[0].startswith("GET /v1/acme.example?who=A%20%26%20B%2F..%2Fx HTTP")
    assert "authorization: Bearer s3cret\r\nidempotency-key: key-1" in heads[0]


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        ("200 OK", b"<html>", "not JSON"),
        ("200 OK", b'{"data": {"score": "high"}}', "no confidence"),
        ("200 OK", b"[" * 100_000, "not JSON"),
        ("401 Who?", b"{}", "refuses the key"),
        ("400 Bad", b"{}", "answered 400"),
        ("503 Busy", b"{}", "answered 503"),
        ("302 FoundValue", b"", "answered 302"),
    ],
)
def test_an_answer_that_is_none_fails_with_its_reason(status: str, body: bytes, reason: str) -> None:
    with pytest.raises(ProviderFailed, match=reason):
        ask_web(
            lambda *_: (status, {}, body),
            "http_json",
            lookup,
            question("industry", domain="a.example", name="A"),
        )


def test_a_record_that_lacks_what_a_url_needs_is_not_asked_about() -> None:
    assert ask("http_json", lookup("http://127.0.0.1:1"), question("industry", domain="a.example")) == [None]


def test_many_records_are_asked_about_in_one_call_where_the_provider_has_one() -> None:
    bodies: list[Any] = []

    def handle(_: str, body: bytes) -> tuple[str, dict[str, str], bytes]:
        bodies.append(json.loads(body))
        items = [
            {"domain": domain.upper(), "industry": f"of {domain}"}
            for domain in bodies[-1]["domains"]
            if domain != "b.example"
        ]
        return "200 OK", {}, json.dumps({"results": items[::-1]}).encode()

    def options(base: str) -> dict[str, Any]:
        bulk = {
            "url": base + "/bulk",
            "parameter": "domains",
            "items": "results",
            "match": "domain",
            "size": 10,
        }
        return {"url": base + "/{domain}", "fields": {"industry": "industry"}, "bulk": bulk}

    async def run() -> list[ProviderAnswer | None]:
        async with web(handle) as base, Outbound(allow=LOOPBACK) as outbound:
            config = ProviderConfig(uses="http_json", options=options(base), concurrency=2)
            queue = ProviderQueue("it", config, make("it", config, outbound), _no_slots)
            asked = [queue.ask(question("industry", domain=f"{name}.example"), INDUSTRY, 0) for name in "abc"]
            return [result.found for result in await asyncio.gather(*asked)]

    assert asyncio.run(run()) == [
        {"industry": FoundValue("of a.example", 0.8)},
        {},
        {"industry": FoundValue("of c.example", 0.8)},
    ]
    assert bodies == [{"domains": ["a.example", "b.example", "c.example"]}]


async def _no_slots(_: str, __: float) -> float:
    return 0.0


def test_a_request_is_repeated_with_pauses_and_not_forever() -> None:
    statuses = iter(["500 Oops", "429 Slow", "200 OK", "503 Down", "503 Down", "503 Down"])

    def handle(*_: Any) -> tuple[str, dict[str, str], bytes]:
        return next(statuses), {}, b'{"industry": "x"}'

    async def run() -> list[CallResult]:
        async with web(handle) as base, Outbound(allow=LOOPBACK) as outbound:
            options = {"url": base + "/{domain}", "fields": {"industry": "industry"}}
            config = ProviderConfig(uses="http_json", options=options, tries=3)
            queue = ProviderQueue("it", config, make("it", config, outbound), _no_slots)
            return [await queue.ask(question("industry", domain="a.example"), INDUSTRY, 0) for _ in range(2)]

    good, bad = asyncio.run(run())
    assert (good.found, good.tries) == ({"industry": FoundValue("x", 0.8)}, 3)
    assert (bad.reason, bad.tries) == ("it answered 503", 3)


@pytest.mark.parametrize(
    ("uses", "options", "fault"),
    [
        ("nothing", {}, "there are: dns, domain, http_json, table, website"),
        ("http_json", {"url": "x", "fields": {"a": "]["}}, "is not a valid JMESPath"),
        ("http_json", {"url": "x{env:NOT_SET}", "fields": {"a": "b"}}, "NOT_SET"),
        ("http_json", {"fields": {}}, "url"),
        ("table", {"fields": {"a": "b"}}, "either csv"),
    ],
)
def test_a_provider_that_cannot_be_made_says_what_its_options_lack(
    uses: str, options: dict[str, Any], fault: str
) -> None:
    with pytest.raises(InvalidConfiguration, match=fault):
        ask(uses, options)


# --- DNS ---

ZONE = {
    ("acme.example.", "MX"): ["10 aspmx.l.google.com.", "5 alt1.aspmx.l.google.com."],
    ("acme.example.", "TXT"): ['"v=spf1 include:_spf.google.com ~all"'],
    ("spf.example.", "MX"): ["10 mx.spf.example."],
    ("spf.example.", "TXT"): ['"v=spf1 include:spf.protection.outlook.com -all"'],
    ("null.example.", "MX"): ["0 ."],
    ("null.example.", "TXT"): ['"v=spf1 -all"'],
}


@asynccontextmanager
async def name_server(answer: Callable[[bytes], bytes | None]) -> AsyncIterator[int]:
    class Server(asyncio.DatagramProtocol):
        def connection_made(self, transport: Any) -> None:
            self.transport = transport

        def datagram_received(self, data: bytes, address: Any) -> None:
            reply = answer(data)
            if reply is not None:
                self.transport.sendto(reply, address)

    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(Server, ("127.0.0.1", 0))
    try:
        yield transport.get_extra_info("sockname")[1]
    finally:
        transport.close()


def from_zone(data: bytes) -> bytes:
    query = dns.message.from_wire(data)
    reply = dns.message.make_response(query)
    asked = query.question[0]
    kind = dns.rdatatype.to_text(asked.rdtype)
    found = ZONE.get((str(asked.name), kind))
    if found:
        reply.answer.append(dns.rrset.from_text(asked.name, 60, "IN", kind, *found))
    elif not any(name == str(asked.name) for name, _ in ZONE):
        reply.set_rcode(dns.rcode.NXDOMAIN)
    return reply.to_wire()


def ask_dns(answer: Callable[[bytes], bytes | None], *questions: Question) -> list[ProviderAnswer]:
    async def run() -> list[ProviderAnswer]:
        async with name_server(answer) as port, Outbound(allow=LOOPBACK) as outbound:
            options = {"nameservers": ["127.0.0.1"], "port": port}
            return list(
                await make("it", ProviderConfig(uses="dns", options=options, timeout_s=1), outbound).ask(
                    questions
                )
            )

    return asyncio.run(run())


def test_the_dns_says_who_runs_a_domains_mail_and_whether_it_takes_any() -> None:
    domains = ("acme.example", "spf.example", "null.example", "nowhere.example")
    acme, spf, null, nowhere = ask_dns(
        from_zone, *(question("mail_provider", domain=domain) for domain in domains)
    )
    assert acme["mail_provider"].value == "Google Workspace"
    assert acme["mail_servers"].value == ["alt1.aspmx.l.google.com", "aspmx.l.google.com"]
    assert spf["mail_provider"].value == "Microsoft 365"
    assert (acme["receives_mail"].value, null["receives_mail"].value, nowhere["deliverable"].value) == (
        True,
        False,
        False,
    )
    assert "mail_provider" not in null


def test_a_name_server_that_is_silent_or_talks_nonsense_fails_with_a_reason() -> None:
    with pytest.raises(ProviderFailed, match="in time"):
        ask_dns(lambda _: None, question("mail_provider", domain="acme.example"))
    with pytest.raises(ProviderFailed, match="name servers"):
        ask_dns(lambda data: data[:2] + b"\xff" * 20, question("mail_provider", domain="acme.example"))


# --- web sites ---

PAGE = """<!doctype html><html lang="de-AT"><head><title> Acme
 GmbH </title><meta name="description" content="Wir liefern."><meta name="generator" content="WordPress 6.9">
<script src="//js.hs-scripts.com/1.js"></script></head><body><a href="https://www.linkedin.com/company/acme/?x=1">in</a>
<a href="https://twitter.com/intent/tweet">share</a><a href="javascript:alert(1)">x</a></body></html>"""


def ask_site(status: str, headers: dict[str, str], body: bytes) -> ProviderAnswer:
    (answer,) = ask_web(
        lambda *_: (status, headers, body),
        "website",
        lambda base: {"url": base + "/?{domain}"},
        question("language", domain="acme.example"),
    )
    return answer


def test_a_web_site_says_its_title_language_profiles_and_technologies() -> None:
    found = {
        name: found.value for name, found in ask_site("200 OK", {"server": "nginx/1"}, PAGE.encode()).items()
    }
    assert (found["website_title"], found["website_description"], found["language"]) == (
        "Acme GmbH",
        "Wir liefern.",
        "de",
    )
    assert found["socials"] == ["https://www.linkedin.com/company/acme"]
    assert found["technologies"] == ["HubSpot", "WordPress", "nginx"]


@pytest.mark.parametrize(
    "body", [b"", b"\x00\xff\xfe" * 1000, b"<" * 100_000, b"<title>" + b"x" * 100_000, b"<p>" * 100_000]
)
def test_a_page_that_is_none_does_no_harm(body: bytes) -> None:
    assert "language" not in ask_site("200 OK", {"content-type": "text/html"}, body)


def test_what_is_no_page_fails_with_a_reason() -> None:
    with pytest.raises(ProviderFailed, match="not HTML"):
        ask_site("200 OK", {"content-type": "application/pdf"}, b"%PDF")
    with pytest.raises(ProviderFailed, match="403"):
        ask_site("403 No", {}, b"")
    with pytest.raises(ProviderFailed, match="nested too deep"):
        ask_site("200 OK", {}, b"<div>" * 200_000)
    with pytest.raises(ProviderFailed, match="more than"):
        ask_site("200 OK", {}, b"x" * 2_000_000)


def test_a_domain_that_leads_inside_is_not_fetched() -> None:
    async def run() -> None:
        async with Outbound(allow=()) as outbound:
            await make(
                "it", ProviderConfig(uses="website", options={"url": "http://{domain}:80/"}), outbound
            ).ask([question(domain="localhost.localdomain")])

    async def metadata() -> None:
        async with Outbound(allow=()) as outbound:
            provider = make("it", ProviderConfig(uses="website"), outbound)
            assert provider.key(question(domain="169.254.169.254")) is None
            assert provider.key(question(domain="acme.example/../admin")) is None

    asyncio.run(metadata())
    if socket.gethostbyname("localhost") == "127.0.0.1":
        with pytest.raises(ProviderFailed):
            asyncio.run(run())
