"""Search: what is said is found, by whom it may be read, and forgotten with the person."""

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest
from sqlalchemy import text

from activity.event import Event
from db import search
from db.engine import begin
from db.records import erasure
from producers.log.search import handle
from producers.log.tasks import INDEXER
from tests.recording import record
from worker.follow import follow_once

Send = Callable[..., httpx.Response]
BEGIN = datetime(2026, 3, 1, 9, tzinfo=UTC)


def follow(page: int = 500) -> None:
    while follow_once(INDEXER, handle, page=page):
        pass


def note(tenant: int, words: str, minute: float = 0, **more: Any) -> Event:
    given: dict[str, Any] = {"type": "note.added", "account_id": "acme", "payload": {"text": words}} | more
    return Event(tenant_id=tenant, source="crm", occurred_at=BEGIN + timedelta(minutes=minute), **given)


def hits(send: Send, q: str, **more: str) -> list[str]:
    """The texts that are found, the newest first."""
    answer = send("GET", f"/v1/search?{httpx.QueryParams({'q': q} | more)}")
    assert answer.status_code == 200, answer.text
    return [hit["event"]["payload"]["text"] for hit in answer.json()["data"]]


TEXTS = [
    "Müller AG wants the renewal before Christmas",
    "straße, naïve café; ÆRØ ① ﬁne",
    "株式会社田中と話した",
    "write to ana.ruiz+x@example.com about it",
    "the price is too high, the price",
    "high price",
]


@pytest.mark.parametrize(
    ("q", "found"),
    [
        ("muller", [0]),
        ("MÜLLER", [0]),
        ("Mu\u0308ller", [0]),
        ("ren", [0]),
        ("ren ", []),
        ("renewal before", [0]),
        ('"renewal before"', [0]),
        ('"before renewal"', []),
        ("strasse", [1]),
        ("fine CAFE", [1]),
        ("田中", [2]),
        ("会社田", [2]),
        ("社会", []),
        ("ruiz", [3]),
        ("ana.ruiz+x@example.com", [3]),
        ('"high price"', [5]),
        ('price "too high"', [4]),
        ("price high ", [5, 4]),
        ("!!! ???", []),
        ("'; drop & | ! <-> \\", []),
        ("\x00", []),
        ("a" * 200, []),
    ],
)
def test_words_are_found_in_any_case_with_or_without_accents_and_in_any_script(
    send: Send, tenant: int, q: str, found: list[int]
) -> None:
    record(*(note(tenant, text, minute) for minute, text in enumerate(TEXTS)))
    follow()
    assert hits(send, q) == [TEXTS[at] for at in found]


def test_what_was_found_is_marked_in_what_it_says(send: Send, tenant: int) -> None:
    record(note(tenant, "x" * 100 + " Müller & Söhne: the MULLERS " + "y " * 200))
    follow()
    (hit,) = send("GET", "/v1/search?q=muller").json()["data"]
    assert [part["m"] for part in hit["excerpt"] if "m" in part] == ["Müller", "MULLERS"]
    assert "".join(text for part in hit["excerpt"] for text in part.values()).count("…") == 2


@pytest.mark.parametrize("seed", range(6))
def test_a_search_finds_what_reading_everything_finds_page_by_page(
    seed: int, send: Send, tenant: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "SLICE", 5)
    monkeypatch.setattr(search, "_SPLIT", 12)
    dice = random.Random(seed)  # a test's dice
    log = [
        note(
            tenant,
            " ".join(dice.choices(["alpha", "beta", "gamma", "delta"], k=2)),
            dice.randrange(20),
            account_id=dice.choice(["acme", "bolt"]),
            contact_id=dice.choice(["jo", None]),
            actor=dice.choice(["ana@v.example", "ben@v.example"]),
        )
        for _ in range(60)
    ]
    record(*log[:35])
    follow(7)
    record(*log[35:])
    follow(11)
    filters: dict[str, str] = dice.choice([{}, {"account": "bolt"}, {"contact": "jo", "account": "acme"}])
    filters |= dice.choice(
        [{}, {"actor": "ana@v.example"}, {"since": (BEGIN + timedelta(minutes=9)).isoformat()}]
    )
    path = f"/v1/search?{httpx.QueryParams({'q': 'alpha ', 'limit': '4'} | filters)}"
    found, cursor = [], ""
    while True:
        page = send("GET", path + cursor).json()
        found += [hit["event"]["event_id"] for hit in page["data"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    everything = send("GET", f"/v1/events?{httpx.QueryParams({'limit': '200'} | filters)}").json()["data"]
    assert found == [one["event_id"] for one in everything if "alpha" in one["payload"]["text"]]
    with begin("producer", tenant) as session:
        counted = text(
            "select max(documents), sum(documents), count(*) from crm.search_slice where tenant_id = :t"
        )
        most, total, slices = session.execute(counted, {"t": tenant}).one()
    assert (most <= 20, total, slices > 3) == (True, 60, True)


def correct(tenant: int, wrong: Event, **payload: Any) -> Event:
    about = {"event_id": str(wrong.event_id), "event_type": wrong.type}
    made = note(tenant, "", 60, type="event.corrected", cause_id=wrong.event_id, payload=about | payload)
    record(made)
    return made


def test_a_corrected_event_is_found_by_what_is_right_and_a_withdrawn_one_not_at_all(
    send: Send, tenant: int
) -> None:
    wrong = note(tenant, "she signs in Paris")
    record(wrong)
    follow()
    correct(tenant, wrong, correct={"text": "she signs in Rome"})
    follow()
    assert (hits(send, "paris"), len(hits(send, "rome"))) == ([], 1)
    withdrawal = correct(tenant, wrong, retracted=True)
    assert hits(send, "rome") == [], "before the index knows it"
    follow()
    assert hits(send, "signs") == []
    correct(tenant, withdrawal, retracted=True)
    follow()
    assert len(hits(send, "rome")) == 1


def test_an_erased_person_is_neither_found_nor_suggested(
    send: Send, tenant: int, admin: psycopg.Connection[Any]
) -> None:
    record(note(tenant, "Zaphod wants a yacht", contact_id="zaphod"), note(tenant, "a yacht for all"))
    follow()
    assert send("GET", "/v1/search?q=zaphot").json()["instead"] == "zaphod"
    with begin("eraser") as session:
        erasure.erase(session, tenant, "zaphod", uuid4(), "dpo@example.com", None, None)
    assert hits(send, "zaphod") == [], "before the index knows it"
    follow()
    assert hits(send, "yacht") == ["a yacht for all"]
    known = admin.execute("select word from crm.search_word where tenant_id = %s", [tenant]).fetchall()
    assert {word for (word,) in known} == {"a", "yacht", "for", "all"}
    answer = send("GET", "/v1/search?q=zaphot").json()
    assert (answer["data"], answer["instead"]) == ([], None)


def test_the_nearest_word_is_searched_where_nothing_was_found(send: Send, tenant: int) -> None:
    record(note(tenant, "Halden wants the renewal"), note(tenant, "other"))
    follow()
    answer = send("GET", "/v1/search?q=haldne renewal").json()
    assert (answer["instead"], len(answer["data"])) == ("halden renewal", 1)


def test_every_workspace_searches_its_own(send: Send, tenant: int, make_tenant: Callable[[], int]) -> None:
    record(note(make_tenant(), "falcon nest"))
    follow()
    assert hits(send, "falcon") == []
    assert send("GET", "/v1/search?q=falcom").json()["instead"] is None


def test_a_search_is_answered_by_the_index_of_words(tenant: int, admin: psycopg.Connection[Any]) -> None:
    record(*(note(tenant, f"word{n} common", n) for n in range(50)))
    follow()
    admin.execute("analyze crm.search_document")
    admin.execute("set enable_seqscan = off")
    plan = admin.execute(
        """explain select seq from crm.search_document where slice = 1 and tsv @@ '''word7'''::tsquery
            order by occurred_at desc, seq desc limit 51"""
    ).fetchall()
    assert "search_document_words" in str(plan)
