"""What the ledger of suppressions promises: who may not be written to, for every reason that stands."""

from collections.abc import Callable
from typing import Any

import httpx
import psycopg
import pytest
from sqlalchemy.exc import DBAPIError

from activity.errors import InvalidEvent
from db.engine import begin
from db.mail import suppression
from db.mail.suppression import REASONS, Provenance, Standing
from db.records import records
from producers.mail import suppressions
from producers.mail.suppressions import ByHand, InvalidTarget, SuppressionNotFound, opt_in, opt_out
from tests.command import activity
from worker.append import append_batch

ANA = ByHand("ana@v.example", "cli", "asked on the phone")
JO = "jo@acme.example"


def standing(tenant: int, address: str = JO) -> Standing:
    with begin("producer", tenant) as session:
        return suppression.check(session, tenant, address)


def events(admin: psycopg.Connection[Any]) -> list[tuple[Any, ...]]:
    while append_batch(1000):
        pass
    query = "select type, actor, contact_id, payload->>'address' from activity.event order by seq"
    return admin.execute(query).fetchall()


def test_every_reason_stands_beside_the_others_and_a_repeat_adds_nothing(tenant: int) -> None:
    with begin("producer", tenant) as session:
        for reason in (*REASONS, *REASONS):
            suppression.add(session, tenant, JO, reason, Provenance("ses"))
        assert len(suppression.history(session, tenant, JO)) == len(REASONS)
    assert set(standing(tenant).reasons) == set(REASONS)


@pytest.mark.parametrize("reason", [one for one in REASONS if one != "unsubscribed"])
def test_subscribing_frees_of_an_unsubscription_and_of_nothing_else(tenant: int, reason: Any) -> None:
    with begin("producer", tenant) as session:
        suppression.add(session, tenant, JO, reason, Provenance("ses"))
        opt_out(session, tenant, JO, Provenance("link"))
        opt_in(session, tenant, JO, Provenance("ses"))
    assert standing(tenant) == Standing((reason,), consent=True)


def test_who_unsubscribes_after_a_bounce_is_unsubscribed_too(tenant: int) -> None:
    with begin("producer", tenant) as session:
        suppression.add(session, tenant, JO, "hard_bounce", Provenance("ses"))
        assert opt_out(session, tenant, JO, Provenance("link"))
        suppressions.lift(session, tenant, JO, ANA, ["hard_bounce"])
    assert standing(tenant).refusal() == "suppressed: unsubscribed"


@pytest.mark.parametrize(
    ("suppressed", "asked"),
    [
        ("info@xn--mnchen-3ya.example", "Info@MÜNCHEN.example"),
        ("info@münchen.example", "info@XN--MNCHEN-3YA.example."),
        ("münchen.example", "jo@post.xn--mnchen-3ya.example"),
        ("JÖ@acme.example", "jo\u0308@ACME.example"),
    ],
)
def test_two_spellings_of_one_address_are_suppressed_as_one(tenant: int, suppressed: str, asked: str) -> None:
    with begin("producer", tenant) as session:
        suppressions.suppress(session, tenant, [suppressed], "manual", ANA)
        assert suppression.check(session, tenant, asked).reasons == ("manual",)
        suppressions.lift(session, tenant, suppressed, ANA)
        assert suppression.check(session, tenant, asked).reasons == ()


@pytest.mark.parametrize("other", ["rgen@acme.example", "info@strasse.example", "jo@notacme.example"])
def test_nobody_else_is_suppressed(tenant: int, other: str) -> None:
    with begin("producer", tenant) as session:
        targets = ["jürgen@acme.example", "info@straße.example", "jo@acme.example", "acme.example.net"]
        suppressions.suppress(session, tenant, targets, "manual", ANA)
    assert standing(tenant, other) == Standing()


def test_what_is_lifted_stays_recorded_with_who_lifted_it(tenant: int) -> None:
    with begin("producer", tenant) as session:
        suppressions.suppress(session, tenant, [JO], "manual", ANA)
        assert suppressions.lift(session, tenant, JO, ANA._replace(by="kim@v.example")) == ["manual"]
        with pytest.raises(SuppressionNotFound, match="explain"):
            suppressions.lift(session, tenant, JO, ANA)
        suppressions.suppress(session, tenant, [JO], "complaint", ANA)
        found = suppression.history(session, tenant, JO)
    assert [(one.reason, one.actor, one.lifted_by) for one in found] == [
        ("complaint", "ana@v.example", None),
        ("manual", "ana@v.example", "kim@v.example"),
    ]


@pytest.mark.parametrize(
    "statement",
    [
        "delete from crm.suppression",
        "update crm.suppression set reason = 'manual'",
        "update crm.suppression set lifted_at = null, lifted_by = null",
        "update crm.suppression set lifted_at = now(), lifted_by = 'system'",
    ],
)
def test_the_ledger_is_not_rewritten(tenant: int, statement: str) -> None:
    from sqlalchemy import text

    with begin("producer", tenant) as session:
        suppression.add(session, tenant, JO, "complaint", Provenance("ses"))
        suppression.lift(session, tenant, JO, ["complaint"], by="ana@v.example")
    with pytest.raises(DBAPIError), begin("producer", tenant) as session:
        session.execute(text(statement))


def test_each_act_of_a_person_is_an_event_of_the_contact(admin: psycopg.Connection[Any], tenant: int) -> None:
    with begin("producer", tenant) as session:
        records.upsert(session, tenant, [records.Contact(id="jo", name="Jo", email="info@münchen.example")])
        for _ in range(2):
            suppressions.suppress(session, tenant, ["info@münchen.example"], "manual", ANA)
        suppressions.lift(session, tenant, "info@münchen.example", ANA)
        for granted in (False, False, True, True):
            suppressions.set_consent(session, tenant, "info@münchen.example", granted, ANA)
    address = "info@xn--mnchen-3ya.example"
    kinds = ("suppressed", "suppression_lifted", "consent_withdrawn", "consent_given")
    assert events(admin) == [(f"email.{kind}", "ana@v.example", "jo", address) for kind in kinds]


@pytest.mark.parametrize(
    "target",
    ["", "jo", "jo@", "@", "a b@acme.example", "jo@acme..example", "jo@acme.example\n x", "☕.example"],
)
def test_what_is_no_address_and_no_domain_is_refused(tenant: int, target: str) -> None:
    with begin("producer", tenant) as session, pytest.raises(InvalidTarget):
        suppressions.suppress(session, tenant, [JO, target], "manual", ANA)
    assert standing(tenant) == Standing()


@pytest.mark.parametrize("hand", [ANA._replace(by="somebody"), ANA._replace(note="x" * 1001)])
def test_who_does_it_and_why_are_checked(tenant: int, hand: ByHand) -> None:
    with begin("producer", tenant) as session, pytest.raises(InvalidEvent):
        suppressions.suppress(session, tenant, [JO], "manual", hand)


def test_the_commands_suppress_explain_and_lift(admin: psycopg.Connection[Any], tenant: int) -> None:
    by = ("--by", "ana@v.example")
    activity("suppression", "add", JO, "rival.example", *by, "--note", "asked")
    assert "suppressed: manual" in activity("suppression", "explain", "ceo@mail.rival.example")
    activity("consent", "withdraw", JO, *by)
    assert activity("suppression", "list").count("\n") == 3
    assert "still not written to: consent withdrawn" in activity("suppression", "lift", JO, *by)
    assert "may be written to" in activity("consent", "give", JO, *by)
    assert "no reason" in activity("suppression", "add", JO, *by, "--reason", "because", code=2)
    assert [kind for kind, *_ in events(admin)] == [
        "email.suppressed",
        "email.suppressed",
        "email.consent_withdrawn",
        "email.suppression_lifted",
        "email.consent_given",
    ]


def test_a_list_is_imported_whole_or_not_at_all(tenant: int, tmp_path: Any) -> None:
    file, by = tmp_path / "bounces.csv", ("--by", "ana@v.example", "--reason", "hard_bounce")
    file.write_text('created,Email,reason\n2026-01-01,"JO@acme.example",x\n2026-01-02,kim@acme.example,y\n')
    assert "2 suppressed; 0 were" in activity("suppression", "import", file, *by)
    assert "0 suppressed; 2 were" in activity("suppression", "import", file, *by)
    assert standing(tenant).reasons == ("hard_bounce",)
    wrong = activity("suppression", "import", "-", *by, code=2, stdin="lee@acme.example\nno address\n")
    assert "nothing was imported: line 2" in wrong
    assert standing(tenant, "lee@acme.example") == Standing()


def test_the_api_does_what_the_commands_do(tenant: int, send: Callable[..., httpx.Response]) -> None:
    body = {"targets": [JO, JO.upper(), "rival.example"], "note": "asked"}
    assert send("POST", "/v1/suppressions", body).json() == {"new": 2, "standing": 0}
    assert send("POST", "/v1/suppressions", {"targets": ["no address"]}).status_code == 422
    page = send("GET", "/v1/suppressions?limit=1").json()
    rest = send("GET", f"/v1/suppressions?before={page['next_before']}").json()
    assert [one["target"] for one in page["suppressions"] + rest["suppressions"]] == ["rival.example", JO]
    lifted = send("POST", "/v1/suppressions/lift", {"target": JO}).json()
    assert lifted == {"lifted": ["manual"], "refusal": None}
    assert send("POST", "/v1/suppressions/lift", {"target": JO}).status_code == 404
    withdrawn = send("POST", "/v1/consents", {"address": JO, "granted": False}).json()
    assert withdrawn == {"new": True, "refusal": "suppressed: unsubscribed"}
    explained = send("GET", f"/v1/suppressions/{JO}").json()
    assert (explained["reasons"], explained["consent"]) == (["unsubscribed"], False)
    assert [one["reason"] for one in explained["history"]] == ["unsubscribed", "manual"]
