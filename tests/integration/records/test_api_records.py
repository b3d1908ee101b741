"""What changing records over HTTP promises: the change and what is said about it are one."""

from collections.abc import Callable
from typing import Any

import httpx
import psycopg
import pytest

from worker.append import append_batch

Send = Callable[..., httpx.Response]


def said(admin: psycopg.Connection[Any]) -> list[tuple[str, dict[str, Any]]]:
    while append_batch(1000):
        pass
    return [
        (row[0], row[1]) for row in admin.execute("select type, payload from activity.event order by seq")
    ]


def test_a_new_account_is_kept_and_said_and_the_same_again_says_nothing(
    send: Send, admin: psycopg.Connection[Any]
) -> None:
    account = {"name": "Acme", "domain": "acme.example", "fields": {"industry": "Retail"}}
    answer = send("PUT", "/v1/accounts/a_9", account)
    assert (answer.status_code, answer.json()["created"], answer.json()["record"]["name"]) == (
        201,
        True,
        "Acme",
    )
    assert [receipt["status"] for receipt in answer.json()["events"]] == ["accepted"]
    again = send("PUT", "/v1/accounts/a_9", account)
    assert (again.status_code, again.json()["created"], again.json()["events"]) == (200, False, [])
    assert said(admin) == [("account.added", {"name": "Acme", "domain": "acme.example"})]


def test_what_changed_of_an_account_is_said_field_by_field(
    send: Send, admin: psycopg.Connection[Any]
) -> None:
    send("PUT", "/v1/accounts/parent", {"name": "Holding"})
    send("PUT", "/v1/accounts/a_9", {"name": "Acme", "fields": {"industry": "Retail", "size": 5}})
    send("PUT", "/v1/accounts/a_9", {"parent_id": "parent", "fields": {"industry": "Logistics"}})
    moved = {"name": "Acme", "to_parent": "Holding", "to_parent_id": "parent"}
    changed = {"name": "Acme", "changes": [{"field": "industry", "from": "Retail", "to": "Logistics"}]}
    assert said(admin)[2:] == [("account.parent_changed", moved), ("account.updated", changed)]
    shown = send("GET", "/v1/accounts/a_9").json()
    assert (shown["parent"]["name"], shown["record"]["fields"]) == (
        "Holding",
        {"industry": "Logistics", "size": 5},
    )
    assert [child["id"] for child in send("GET", "/v1/accounts/parent").json()["children"]] == ["a_9"]


def test_an_account_cannot_be_put_beneath_itself_or_an_unknown_one(
    send: Send, admin: psycopg.Connection[Any]
) -> None:
    send("PUT", "/v1/accounts/top", {"name": "Top"})
    send("PUT", "/v1/accounts/low", {"name": "Low", "parent_id": "top"})
    for parent in ("low", "top", "nobody"):
        answer = send("PUT", "/v1/accounts/top", {"parent_id": parent})
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "#/parent_id")
    assert len(said(admin)) == 2


def test_a_contact_is_kept_with_its_account(send: Send, admin: psycopg.Connection[Any]) -> None:
    send("PUT", "/v1/accounts/a_9", {"name": "Acme"})
    assert (
        send(
            "PUT", "/v1/contacts/jo", {"account_id": "a_9", "name": "Jo Park", "email": "jo@acme.example"}
        ).status_code
        == 201
    )
    send("PUT", "/v1/contacts/jo", {"name": "Jo Lee"})
    assert said(admin)[1:] == [
        ("contact.added", {"name": "Jo Park", "email": "jo@acme.example", "account_name": "Acme"}),
        (
            "contact.updated",
            {"name": "Jo Lee", "changes": [{"field": "name", "from": "Jo Park", "to": "Jo Lee"}]},
        ),
    ]
    assert send("GET", "/v1/contacts/jo").json()["record"]["name"] == "Jo Lee"
    assert [contact["id"] for contact in send("GET", "/v1/accounts/a_9").json()["contacts"]] == ["jo"]


@pytest.mark.usefixtures("appending")
def test_moving_a_deal_changes_it_and_says_so_once(send: Send) -> None:
    send("PUT", "/v1/accounts/a_9", {"name": "Acme"})
    deal = {
        "name": "Renewal",
        "account_id": "a_9",
        "stage": "Proposal",
        "amount": "125000.00",
        "currency": "EUR",
    }
    assert send("PUT", "/v1/opportunities/d_77", deal, Prefer="wait=2").status_code == 201
    move = {"to_stage": "Negotiation"}
    first = send(
        "POST", "/v1/opportunities/d_77/stage", move, Idempotency_Key='"m-1"', Prefer="wait=2"
    ).json()
    assert first["record"]["stage"] == "Negotiation"
    assert [receipt["status"] for receipt in first["events"]] == ["appended"]
    back = send("POST", "/v1/opportunities/d_77/stage", {"to_stage": "Proposal"}, Prefer="wait=2").json()
    assert back["record"]["stage"] == "Proposal"
    late = send("POST", "/v1/opportunities/d_77/stage", move, Idempotency_Key='"m-1"').json()
    assert (late["record"]["stage"], late["events"]) == ("Proposal", [])
    events = send("GET", "/v1/events?record=opportunity:d_77").json()["data"]
    moved = ["moved Renewal from Negotiation to Proposal", "moved Renewal from Proposal to Negotiation"]
    assert [event["summary"] for event in events][:2] == moved
    assert events[0]["account_id"] == "a_9"


def test_a_deal_that_is_won_says_so_and_names_its_cause(send: Send, admin: psycopg.Connection[Any]) -> None:
    send("PUT", "/v1/opportunities/d_77", {"name": "Renewal", "stage": "Negotiation"})
    send("POST", "/v1/opportunities/d_77/stage", {"to_stage": "Won", "outcome": "won", "reason": "faster"})
    said(admin)
    rows = admin.execute("select type, event_id, cause_id from activity.event order by seq").fetchall()
    assert [row[0] for row in rows] == ["deal.added", "deal.stage_changed", "deal.won"]
    assert rows[2][2] == rows[1][1]


def test_amounts_keep_their_digits(send: Send, admin: psycopg.Connection[Any]) -> None:
    send("PUT", "/v1/opportunities/d", {"name": "Big", "amount": "999999999999999.99", "currency": "EUR"})
    send("PUT", "/v1/opportunities/d", {"amount": "0.1"})
    assert said(admin)[1][1] == {
        "name": "Big",
        "amount": "0.10",
        "currency": "EUR",
        "from_amount": "999999999999999.99",
        "to_amount": "0.10",
    }


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("accounts/a", {"nam": "x"}),
        ("accounts/a", {"name": ""}),
        ("accounts/a", {"fields": {"x": "\0"}}),
        ("contacts/c", {"account_id": "nobody"}),
        ("contacts/c", {"email": "x"}),
        ("opportunities/d", {"amount": "1.234"}),
        ("opportunities/d", {"currency": "euro"}),
        ("opportunities/d", {"account_id": "nobody"}),
    ],
)
def test_a_record_that_cannot_be_kept_is_refused_whole(
    send: Send, admin: psycopg.Connection[Any], path: str, body: dict[str, Any]
) -> None:
    answer = send("PUT", f"/v1/{path}", body)
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/invalid")
    assert send("GET", f"/v1/{path}").status_code == 404
    assert said(admin) == []


def test_a_deal_that_is_not_there_cannot_be_moved(send: Send) -> None:
    assert send("POST", "/v1/opportunities/none/stage", {"to_stage": "Won"}).status_code == 404
