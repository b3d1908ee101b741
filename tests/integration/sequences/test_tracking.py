"""What the links in mails promise."""

import asyncio
import re
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from activity.settings import settings
from api.http.app import create_app
from db import access
from db.engine import begin
from db.mail import suppression
from db.mail.suppression import Standing
from db.records import records
from producers.sequences import enroll
from producers.sequences.engagement import Repeats
from producers.sequences.tracking import Target, link, sign
from tests import vectors
from tests.mailserver import Sink, running
from tests.sequences import Workspace, mail

Ask = Callable[..., httpx.Response]
PERSON = {"user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}


@pytest.fixture
def sink(environment: dict[str, str], free_port: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sink]:
    monkeypatch.setenv("ACTIVITY_TRACKING_KEYS", "k1:a-secret-of-the-tests")
    monkeypatch.setenv("ACTIVITY_PUBLIC_URL", "http://api.example")
    settings.cache_clear()
    with running(Sink(), free_port) as server:
        yield server


@pytest.fixture
def ask(sink: Sink) -> Ask:
    """A function that sends a request to the API."""

    async def request(method: str, url: str, **more: Any) -> httpx.Response:
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(create_app()), base_url="http://api.example"
        ) as client:
            return await client.request(method, url, **more)

    return lambda method, url, **more: asyncio.run(request(method, url, **more))


def links(sink: Sink) -> tuple[str, str, str]:
    """The pixel, the link and the unsubscribe link of the first mail."""
    sent = sink.mails()[0]
    html = sent.get_body(("html",))
    assert html is not None
    (pixel,) = re.findall(r'src="(http://api[^"]+)"', html.get_content())
    (target,) = re.findall(r'href="(http://api[^"]+)"', html.get_content())
    return pixel, target, sent["List-Unsubscribe"].strip("<>")


def visits(space: Workspace) -> list[tuple[Any, ...]]:
    space.events()
    query = """select type, contact_id, payload->>'url', payload->>'machine',
                      cause_id = (select event_id from activity.event where type = 'email.sent')
                 from activity.event where type in ('email.opened', 'email.clicked') order by seq"""
    return space.admin.execute(query).fetchall()


def test_every_open_and_click_is_kept_with_its_mail_and_a_verdict(
    space: Workspace, sink: Sink, ask: Ask
) -> None:
    space.enroll(space.sequence(mail("One")), "jo")
    space.send()
    space.admin.execute("update crm.message set sent_at = sent_at - interval '1 hour'")
    pixel, target, _ = links(sink)
    for _ in range(2):
        assert ask("GET", pixel, headers=PERSON).headers["content-type"] == "image/gif"
    answer = ask("GET", target, headers=PERSON)
    assert (answer.status_code, answer.headers["location"]) == (302, "https://v.example/p?a=1&b=2")
    ask("HEAD", target, headers=PERSON)
    assert visits(space) == [
        ("email.opened", "jo", None, "false", True),
        ("email.opened", "jo", None, "false", True),
        ("email.clicked", "jo", "https://v.example/p?a=1&b=2", "false", True),
        ("email.clicked", "jo", "https://v.example/p?a=1&b=2", "true", True),
    ]


def test_whoever_has_a_link_cannot_write_into_the_log_forever(
    space: Workspace, sink: Sink, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("producers.sequences.engagement._MOST_VISITS", 5)
    monkeypatch.setattr("producers.sequences.engagement._MOST_REPEATS", 2)
    monkeypatch.setattr("producers.sequences.engagement._repeats", Repeats())
    space.enroll(space.sequence(mail("One")), "jo")
    space.send()
    pixel, target, _ = links(sink)
    for _ in range(4):
        assert ask("GET", pixel, headers=PERSON).status_code == 200
    assert len(visits(space)) == 2
    for number in range(9):
        agent = {"User-Agent": f"Agent {number}"}
        assert ask("GET", target, headers=agent).status_code == 302
    assert len(visits(space)) == 5


def test_getting_the_unsubscribe_page_unsubscribes_nobody_and_its_button_does_once(
    space: Workspace, sink: Sink, ask: Ask
) -> None:
    space.enroll(space.sequence(mail("One")), "jo")
    space.send()
    space.enroll(space.sequence(mail("Another"), mail()), "jo")
    *_, leave = links(sink)
    page = ask("GET", leave)
    assert '<form method="post">' in page.text
    assert "jo@acme.example" in page.text
    assert space.events("email.unsubscribed") == []
    for _ in range(2):
        answer = ask(
            "POST",
            leave,
            content="List-Unsubscribe=One-Click",
            headers={"content-type": "application/x-www-form-urlencoded"},
        )
        assert answer.status_code == 200
    assert [row[:2] for row in space.events("email.unsubscribed")] == [("email.unsubscribed", "jo")]
    assert [row[3] for row in space.events("sequence.finished")] == ["completed", "unsubscribed"]
    with begin("producer", space.tenant) as session:
        standing = suppression.check(session, space.tenant, "jo@acme.example")
    assert standing == Standing(("unsubscribed",), consent=False)
    space.send()
    assert len(sink.taken) == 1


@pytest.mark.parametrize("path", ["/t/c/{}", "/u/{}"])
def test_a_token_that_we_did_not_sign_for_this_leads_nowhere(space: Workspace, ask: Ask, path: str) -> None:
    good = sign("c" if path.startswith("/t/c") else "u", Target(space.tenant, 1, "https://evil.example/"))
    other_kind = sign("o", Target(space.tenant, 1, "https://evil.example/"))
    key, said, signature = good.split(".")
    forged = [
        other_kind,
        f"{key}.{said}A.{signature}",
        f"{key}.{said}.{signature[:-2]}AA",
        f"k2.{said}.{signature}",
        "x",
        "a" * 20_000,
        "%00.a.b",
        "é.ü.x",
    ]
    assert {ask("GET", path.format(token)).status_code for token in forged} == {404}
    assert ask("GET", "/t/o/x").status_code == 200
    assert visits(space) == []


def test_a_link_still_works_after_its_key_was_rotated(
    space: Workspace, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = link("c", Target(space.tenant, 1, "https://v.example/"))
    monkeypatch.setenv("ACTIVITY_TRACKING_KEYS", "k2:another-secret-of-tests,k1:a-secret-of-the-tests")
    settings.cache_clear()
    assert link("c", Target(space.tenant, 1, "https://v.example/")).split("/")[-1].startswith("k2.")
    assert ask("GET", old).status_code == 302
    monkeypatch.setenv("ACTIVITY_TRACKING_KEYS", "k2:another-secret-of-tests")
    settings.cache_clear()
    assert ask("GET", old).status_code == 404


def test_hostile_names_change_neither_headers_nor_pages(space: Workspace, sink: Sink, ask: Ask) -> None:
    strings = [*vectors.own("strings.json"), *vectors.foreign("conformance/strings/blns.json", [])]
    hostile = [text.replace("\0", "") for text in strings if text]
    sequence = space.sequence(mail("Hi {{ contact.fields.t }}", "{{ contact.name }} {{ contact.fields.t }}"))
    with begin("producer", space.tenant) as session:
        pairs = list(zip(hostile[::2], hostile[1::2], strict=False))
        people = [
            records.Contact(id=str(n), name=name[:300], email=f"c{n}@acme.example", fields={"t": field})
            for n, (name, field) in enumerate(pairs)
        ]
        records.upsert(session, space.tenant, people)
        for one in people:
            enroll(session, space.tenant, sequence, one.id, by="system")
    assert space.send() == {"sent": len(pairs)}
    known = {
        "From",
        "To",
        "Subject",
        "Date",
        "Message-ID",
        "List-Unsubscribe",
        "List-Unsubscribe-Post",
        "MIME-Version",
        "Content-Type",
        "X-Peer",
    }
    for sent, (to, _) in zip(sink.mails(), sink.taken, strict=True):
        assert set(sent.keys()) <= known | {"X-MailFrom", "X-RcptTo", "Content-Transfer-Encoding"}
        assert [address.addr_spec for address in sent["To"].addresses] == [to]
        assert "evil.example" not in str(sent["From"])
    page = ask("GET", links(sink)[2])
    assert "<script" not in page.text
    assert len(space.events("email.sent")) == len(pairs)


def test_contacts_are_enrolled_over_http_once(space: Workspace, ask: Ask) -> None:
    key = access.new_key()
    with begin("producer", space.tenant) as session:
        access.add_key(session, space.tenant, key, "tests", access.SCOPES, "ana@example.com")
        records.upsert(session, space.tenant, [records.Contact(id="jo", email="jo@acme.example")])
    sequence, caller = space.sequence(mail("One")), {"authorization": f"Bearer {key}"}
    path = f"/v1/sequences/{sequence}/enrolments"
    answer = ask("POST", path, json={"contacts": ["jo", "nobody"]}, headers=caller)
    assert (answer.status_code, answer.json()) == (201, {"enrolled": ["jo"], "left_out": ["nobody"]})
    assert ask("POST", path, json={"contacts": ["jo"], "refuse": True}, headers=caller).status_code == 409
    assert (
        ask("POST", "/v1/sequences/999/enrolments", json={"contacts": ["jo"]}, headers=caller).status_code
        == 404
    )
    (count,) = ask("GET", f"/v1/sequences/{sequence}", headers=caller).json()["counts"]
    assert (count["kind"], count["state"], count["number"]) == ("enrolment", "active", 1)


@pytest.mark.parametrize(
    "path", ["b?x={y}|z^w`", "a\\b", "?q=a&region=eu&copy=2", "p%20q?%7B%7D", "x?a=1#b|c"]
)
def test_a_link_leads_on_to_the_target_as_it_was_written(space: Workspace, ask: Ask, path: str) -> None:
    url = f"https://v.example/{path}"
    answer = ask("GET", link("c", Target(space.tenant, 1, url)))
    assert (answer.status_code, answer.headers["location"]) == (302, url)
