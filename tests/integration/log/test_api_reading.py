"""What reading over HTTP promises."""

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import psycopg
import pytest

from activity.event import Event
from api.http.app import create_app
from db import access
from db.engine import begin
from db.records import records
from worker.append import append_batch
from worker.emit import emit

START = datetime(2026, 3, 1, tzinfo=UTC)


Get = Callable[..., httpx.Response]


@pytest.fixture
def get(key: str) -> Get:
    """A function that sends a GET with the key."""

    def send(path: str, headers: dict[str, str] | None = None, **parameters: Any) -> httpx.Response:
        async def once() -> httpx.Response:
            transport = httpx.ASGITransport(create_app())
            async with httpx.AsyncClient(
                transport=transport, base_url="http://api", headers={"Authorization": f"Bearer {key}"}
            ) as client:
                return await client.get(path, params=parameters, headers=headers)

        return asyncio.run(once())

    return send


def said(tenant: int, number: int = 1, **fields: Any) -> list[UUID]:
    """Store events a minute apart, the oldest first, and return their ids."""
    events = [
        Event(
            **{
                "tenant_id": tenant,
                "type": "note.added",
                "source": "manual",
                "actor": "ana@example.com",
                "account_id": "acme",
                "payload": {"text": f"note {n}"},
                "occurred_at": START + timedelta(minutes=n),
                **fields,
            }
        )
        for n in range(number)
    ]
    with begin("producer") as session:
        emit(session, events)
    while append_batch(1000):
        pass
    return [event.event_id for event in events]


def test_pages_hold_every_event_once_newest_first(get: Get, tenant: int) -> None:
    ids = said(tenant, 7)
    seen, cursor = [], None
    while True:
        page = get("/v1/events", limit=3, **({"cursor": cursor} if cursor else {})).json()
        seen += [event["event_id"] for event in page["data"]]
        cursor = page["next_cursor"]
        assert page["has_more"] is (cursor is not None)
        if cursor is None:
            break
    assert seen == [str(one) for one in reversed(ids)]


def test_an_event_is_shown_with_its_sentence_its_category_and_every_member(get: Get, tenant: int) -> None:
    said(
        tenant,
        type="deal.stage_changed",
        payload={"name": "Renewal", "from_stage": "Proposal", "to_stage": "Negotiation"},
    )
    (event,) = get("/v1/events").json()["data"]
    assert event["summary"] == "moved Renewal from Proposal to Negotiation"
    assert "".join("".join(part.values()) for part in event["summary_parts"]) == event["summary"]
    assert (event["category"], event["seq"], event["contact_id"]) == ("deals", 1, None)
    assert event["payload"] == {"name": "Renewal", "from_stage": "Proposal", "to_stage": "Negotiation"}
    (german,) = get("/v1/events", locale="de").json()["data"]
    assert german["summary"] != event["summary"]


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"account": "acme"}, "an"),
        ({"contact": "jo"}, "e"),
        ({"type": "email.*"}, "e"),
        ({"type": ["email.sent", "note.added"]}, "ne"),
        ({"type": "acme.*"}, "a"),
        ({"type": "unknown.*"}, ""),
        ({"category": "notes"}, "n"),
        ({"tab": "email"}, "e"),
        ({"tab": "all"}, "nea"),
        ({"tab": "notes", "type": "email.sent"}, ""),
        ({"actor": "system"}, "e"),
        ({"source": "sequence"}, "e"),
        ({"record": "thread:t_1"}, "e"),
        ({"since": "2026-03-01T00:01:00Z"}, "ea"),
        ({"until": "2026-03-01T02:01:00+02:00"}, "n"),
        ({"as_of": 1}, "n"),
        ({"order": "recorded"}, "nea"),
        ({"order": "recorded", "category": "notes"}, "n"),
        ({"beneath": "holding"}, "an"),
        ({"tab": "hierarchy", "account": "holding"}, "an"),
    ],
)
def test_a_filter_finds_exactly_its_events(
    get: Get, tenant: int, parameters: dict[str, Any], expected: str
) -> None:
    with begin("producer", tenant) as session:
        records.upsert(
            session, tenant, [records.Account(id="holding"), records.Account(id="acme", parent_id="holding")]
        )
    name = dict(zip(said(tenant), "n", strict=True))
    email: dict[str, Any] = {
        "type": "email.sent",
        "payload": {"subject": "Terms"},
        "account_id": None,
        "contact_id": "jo",
        "actor": "system",
    }
    more: dict[str, Any] = {
        "source": "sequence",
        "record_type": "thread",
        "record_id": "t_1",
        "occurred_at": START + timedelta(minutes=1),
    }
    name |= dict(zip(said(tenant, **email, **more), "e", strict=True))
    name |= dict(
        zip(
            said(tenant, type="acme.form_filled", payload={}, occurred_at=START + timedelta(minutes=2)),
            "a",
            strict=True,
        )
    )
    answer = get("/v1/events", **parameters)
    assert answer.status_code == 200, answer.text
    assert sorted(name[UUID(event["event_id"])] for event in answer.json()["data"]) == sorted(expected)


def test_a_cursor_is_bound_to_its_filters(get: Get, tenant: int) -> None:
    said(tenant, 3)
    for order in ("occurred", "recorded"):
        cursor = get("/v1/events", limit=1, order=order).json()["next_cursor"]
        answer = get("/v1/events", limit=1, order=order, cursor=cursor, account="acme")
        assert (answer.status_code, answer.json()["type"]) == (400, "/problems/cursor-mismatch")


def test_the_newest_page_is_not_sent_again_while_nothing_is_newer(get: Get, tenant: int) -> None:
    said(tenant)
    tag = get("/v1/events").headers["etag"]
    assert get("/v1/events", headers={"If-None-Match": tag}).status_code == 304
    assert get("/v1/events", headers={"If-None-Match": tag}, account="acme").status_code == 200
    said(tenant)
    assert get("/v1/events", headers={"If-None-Match": tag}).status_code == 200


def test_a_page_that_was_just_read_is_sent_again_unread_and_never_once_the_log_grew(
    get: Get, tenant: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    said(tenant)
    first = get("/v1/events", account="acme")
    with monkeypatch.context() as patched:
        patched.setattr("feed.pages.by_occurred", None)  # reading it would fail
        again = get("/v1/events", account="acme")
        assert again.content == first.content
        assert {name: again.headers[name] for name in ("etag", "vary", "content-type")} == {
            name: first.headers[name] for name in ("etag", "vary", "content-type")
        }
        assert (
            get("/v1/events", headers={"If-None-Match": again.headers["etag"]}, account="acme").status_code
            == 304
        )
    said(tenant)
    assert [event["seq"] for event in get("/v1/events", account="acme").json()["data"]] == [2, 1]


def test_a_kept_page_is_for_those_alone_who_may_read_this_workspace(
    get: Get, tenant: int, make_tenant: Callable[[], int]
) -> None:
    said(tenant)
    assert len(get("/v1/events").json()["data"]) == 1
    others = {"stranger": (make_tenant(), ["read"]), "writer": (tenant, ["write"])}
    for name, (workspace, scopes) in others.items():
        with begin("producer", workspace) as session:
            access.add_key(session, workspace, f"act_{name}", name, scopes)
    stranger, writer, nobody = (
        get("/v1/events", headers={"Authorization": f"Bearer act_{name}"}) for name in (*others, "nobody")
    )
    assert (stranger.json()["data"], writer.status_code, nobody.status_code) == ([], 403, 401)


def test_what_is_newer_than_a_position_comes_oldest_first(get: Get, tenant: int) -> None:
    said(tenant, 2)
    position = get("/v1/events").json()["stream"]["position"]
    assert get("/v1/events", after=position).json()["data"] == []
    said(tenant, 3)
    page = get("/v1/events", after=position, limit=2).json()
    assert ([event["seq"] for event in page["data"]], page["has_more"]) == ([3, 4], True)
    assert get("/v1/events", after="0" * 32 + "-" + "0" * 16).status_code == 400


def test_the_page_around_an_event_holds_it_between_its_neighbours(get: Get, tenant: int) -> None:
    ids = said(tenant, 9)
    page = get("/v1/events", around=ids[4], limit=5, account="acme").json()
    assert [event["payload"]["text"] for event in page["data"]] == [f"note {n}" for n in (6, 5, 4, 3, 2)]
    older = get("/v1/events", cursor=page["next_cursor"], limit=5, account="acme").json()
    assert [event["payload"]["text"] for event in older["data"]] == ["note 1", "note 0"]


def test_the_detail_tells_causes_effects_and_corrections(get: Get, tenant: int) -> None:
    (first,) = said(tenant)
    (second,) = said(tenant, cause_id=first)
    (third,) = said(tenant, cause_id=second)
    (correction,) = said(tenant, type="event.corrected", payload={"event_id": str(second)}, cause_id=second)
    detail = get(f"/v1/events/{second}").json()
    assert [event["event_id"] for event in detail["causes"]] == [str(first)]
    assert [event["event_id"] for event in detail["effects"]] == [str(third)]
    assert [event["event_id"] for event in detail["corrections"]] == [str(correction)]
    assert len(bytes.fromhex(detail["hash"])) == 32
    assert get(f"/v1/events/{uuid4()}").status_code == 404


def test_counts_are_by_category(get: Get, tenant: int) -> None:
    said(tenant, 3)
    said(tenant, 2, type="email.sent", payload={"subject": "Terms"}, account_id="other")
    said(tenant, type="acme.form_filled", payload={})
    counts = {"notes": 3, "email": 2, "other": 1}
    assert get("/v1/events/counts").json() == {
        "counts": counts,
        "total": 6,
        "complete": True,
        "bounded": [],
        "beneath": None,
    }
    assert get("/v1/events/counts", account="acme").json()["counts"] == {"notes": 3, "other": 1}


COUNTED: dict[str, dict[str, Any]] = {
    "nothing": {},
    "account": {"account": "acme"},
    "contact": {"contact": "pat"},
    "actor": {"actor": "bo@example.com"},
    "source": {"source": "crm"},
    "record": {"record": "thread:t1"},
    "type": {"type": ["email.*", "acme.form_filled"]},
    "category": {"category": "email"},
    "tab": {"tab": "notes", "account": "acme"},
    "hierarchy": {"tab": "hierarchy", "account": "acme"},
    "days": {"since": "2026-03-01T00:01:00Z", "until": "2026-03-01T00:03:00Z"},
    "account and actor": {"account": "acme", "actor": "ana@example.com"},
    "nobody": {"actor": "nobody@example.com"},
}


@pytest.mark.parametrize("filters", COUNTED.values(), ids=COUNTED)
def test_a_filter_counts_what_it_lists(get: Get, tenant: int, filters: dict[str, Any]) -> None:
    said(tenant, 4)
    said(tenant, 3, actor="bo@example.com", contact_id="pat")
    said(tenant, 2, type="email.sent", payload={"subject": "Terms"}, account_id=None, contact_id="pat")
    said(tenant, type="acme.form_filled", payload={}, source="crm", record_type="thread", record_id="t1")
    listed = Counter(event["category"] for event in get("/v1/events", limit=200, **filters).json()["data"])
    counted = get("/v1/events/counts", **filters).json()
    assert counted["counts"] == listed
    assert (counted["total"], counted["complete"], counted["bounded"]) == (listed.total(), True, [])


def test_only_the_categories_that_may_have_more_are_marked(
    get: Get, tenant: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.log.events._MANY", 3)
    said(tenant, 4)
    said(tenant, 2, type="email.sent", payload={"subject": "Terms"})
    counted = get("/v1/events/counts").json()
    assert counted["counts"] == {"notes": 3, "email": 2}
    assert (counted["complete"], counted["bounded"]) == (False, ["notes"])
    monkeypatch.setattr("db.log.reading.counts.LOOK", 3)
    assert {"deals", "email", "notes"} < {*get("/v1/events/counts", account="acme").json()["bounded"]}


def test_the_hierarchy_tab_counts_what_it_shows(get: Get, tenant: int) -> None:
    with begin("producer", tenant) as session:
        records.upsert(
            session, tenant, [records.Account(id="acme"), records.Account(id="daughter", parent_id="acme")]
        )
        records.upsert(session, tenant, [records.Account(id="grandchild", parent_id="daughter")])
    said(tenant, 2)
    said(tenant, type="account.parent_changed", payload={"from_parent": "Globex"})
    said(tenant, 3, account_id="daughter")
    said(tenant, account_id="grandchild")
    said(tenant, account_id="other")
    for account, shown in {"acme": 5, "daughter": 1, "grandchild": 0, "nobody": 0}.items():
        assert get("/v1/events/counts", account=account).json()["beneath"] == shown
        assert len(get("/v1/events", beneath=account).json()["data"]) == shown


def test_a_page_names_the_records_it_shows_when_asked(get: Get, tenant: int) -> None:
    with begin("producer", tenant) as session:
        records.upsert(session, tenant, [records.Account(id="acme", name="Acme")])
    said(tenant)
    assert get("/v1/events", include="names").json()["names"] == {
        "accounts": {"acme": "Acme"},
        "contacts": {},
    }
    assert get("/v1/events").json()["names"] is None


def test_events_are_given_as_cloudevents_when_asked(get: Get, tenant: int) -> None:
    (event_id,) = said(tenant)
    one = get(f"/v1/events/{event_id}", headers={"Accept": "application/cloudevents+json"})
    assert one.headers["content-type"] == "application/cloudevents+json"
    told = one.json()
    assert (told["specversion"], told["id"], told["type"]) == ("1.0", str(event_id), "note.added")
    assert (told["subject"], told["sequence"], told["data"]) == (
        "account/acme",
        "0000000000000001",
        {"text": "note 0"},
    )
    many = get("/v1/events", headers={"Accept": "application/cloudevents-batch+json"})
    assert (many.headers["content-type"], many.json()) == ("application/cloudevents-batch+json", [told])
    assert get("/v1/events", headers={"Accept": "text/html"}).status_code == 406


def test_nobody_reads_another_workspace(get: Get, make_tenant: Callable[[], int]) -> None:
    other = make_tenant()
    (event_id,) = said(other)
    assert get("/v1/events").json()["data"] == []
    assert get(f"/v1/events/{event_id}").status_code == 404
    assert get("/v1/events/counts").json()["total"] == 0


def test_two_workspaces_that_use_one_event_id_are_each_shown_their_own(
    get: Get, tenant: int, make_tenant: Callable[[], int]
) -> None:
    other, same = make_tenant(), uuid4()
    with begin("producer") as session:
        for owner, text in ((other, "theirs"), (tenant, "ours")):
            emit(
                session,
                Event(
                    tenant_id=owner,
                    event_id=same,
                    type="note.added",
                    source="api",
                    account_id="a",
                    payload={"text": text},
                ),
            )
    append_batch(10)
    with begin("producer", other) as session:
        key = access.new_key()
        access.add_key(session, other, key, "theirs", ["read"])
    theirs = get("/v1/events", headers={"Authorization": f"Bearer {key}"}).json()["data"]
    assert [event["payload"]["text"] for event in theirs] == ["theirs"]
    assert [event["payload"]["text"] for event in get("/v1/events").json()["data"]] == ["ours"]


def test_an_erased_payload_is_gone_from_every_answer(
    get: Get, tenant: int, admin: psycopg.Connection[Any]
) -> None:
    (event_id,) = said(tenant, contact_id="jo")
    assert get("/v1/events").json()["data"][0]["payload"] is not None
    admin.execute("select activity.erase(%s, 'jo', gen_random_uuid(), 'dpo@example.com', 'asked')", (tenant,))
    shown = get("/v1/events", contact="jo", type="note.added").json()["data"]
    assert [(event["payload"], event["event_id"]) for event in shown] == [(None, str(event_id))]
    assert get(f"/v1/events/{event_id}").json()["event"]["payload"] is None


def test_a_wrong_parameter_is_named(get: Get) -> None:
    for parameter in (
        {"limit": 0},
        {"since": "2026-03-01T00:00:00"},
        {"order": "x"},
        {"tab": "x"},
        {"account": "a\0b"},
        {"type": "Email"},
    ):
        answer = get("/v1/events", **parameter)
        assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json"), (
            parameter
        )
        assert next(iter(parameter)) in answer.json()["errors"][0]["pointer"]
