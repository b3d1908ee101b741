"""Whoever was erased is not written to against their wish, and nothing that is left names them."""

from typing import Any

import pytest

from db.engine import begin
from db.mail import consent, suppression
from db.mail.suppression import Provenance, Standing
from db.records import erasure
from producers.mail import suppressions
from producers.mail.suppressions import ByHand
from producers.sequences import engagement
from producers.sequences.tracking import Target
from tests.mailserver import Sink
from tests.sequences import Workspace, mail

JO = "jo@acme.example"


def standing(space: Workspace, address: str = JO) -> Standing:
    with begin("reader", space.tenant) as session:
        return suppression.check(session, space.tenant, address)


def erase(space: Workspace) -> None:
    with begin("producer", space.tenant) as session:
        erasure.forget(session, space.tenant, "jo")


def left(space: Workspace) -> str:
    """All that the ledger, consent and the stubs hold, as text."""
    query = """select string_agg(row, ' ') from (
        select s::text from crm.suppression s union all select c::text from crm.consent c
        union all select b::text from crm.soft_bounce b
        union all select m::text from crm.erased_mail m) r(row)"""
    return str(space.one(query))


@pytest.mark.parametrize("kept_as", [JO, "Jo@ACME.example", "jo@münchen.example"])
def test_what_stood_against_an_erased_person_stands_under_a_hash(
    space: Workspace, sink: Sink, kept_as: str
) -> None:
    space.enroll(space.sequence(mail("One")), "jo")
    space.admin.execute("update crm.contact set email = %s", (kept_as,))
    with begin("producer", space.tenant) as session:
        given = Provenance("ses", note=f"550 5.1.1 <{kept_as}> unknown")
        suppression.add(session, space.tenant, kept_as, "hard_bounce", given)
        suppression.add(session, space.tenant, kept_as, "complaint", given)
        suppressions.lift(
            session, space.tenant, kept_as, ByHand("ana@v.example", "cli", kept_as), ["complaint"]
        )
        consent.record(session, space.tenant, kept_as, False, given)
    erase(space)
    assert "jo@" not in left(space).lower()
    assert standing(space, kept_as) == Standing(("hard_bounce",), consent=False)
    assert standing(space, "kim@acme.example") == Standing()
    with begin("producer", space.tenant) as session:
        assert len(suppression.history(session, space.tenant, kept_as)) == 2


def test_an_address_can_be_erased_twice_and_lifted(space: Workspace, sink: Sink) -> None:
    sequence = space.sequence(mail("One"))
    for _ in range(2):
        space.enroll(sequence, "jo")
        with begin("producer", space.tenant) as session:
            suppression.add(session, space.tenant, JO, "complaint", Provenance("ses"))
            consent.record(session, space.tenant, JO, True, Provenance("form"))
        erase(space)
    assert standing(space) == Standing(("complaint",), consent=True)
    with begin("producer", space.tenant) as session:
        suppressions.lift(session, space.tenant, JO, ByHand("ana@v.example", "cli"))
    assert standing(space) == Standing((), consent=True)


def test_the_link_in_a_mail_unsubscribes_after_the_erasure_too(space: Workspace, sink: Sink) -> None:
    space.enroll(space.sequence(mail("One")), "jo")
    space.send()
    target = Target(space.tenant, space.one("select id from crm.message"))
    erase(space)
    assert engagement.recipient(target) == ""
    for _ in range(2):
        assert engagement.unsubscribe(target, "link") == ""
    assert engagement.unsubscribe(Target(space.tenant, 10**9), "link") is None
    assert standing(space) == Standing(("unsubscribed",), consent=False)
    assert JO not in left(space)
    space.enroll(space.sequence(mail("Two"), mail()), "jo")
    assert space.send() == {"finished": 1}


def test_another_workspaces_addresses_are_not_erased(space: Workspace, tenant: int) -> None:
    other: Any = space.one("insert into crm.tenant (slug, name) values ('other', 'Other') returning id")
    with begin("producer", other) as session:
        suppression.add(session, other, JO, "manual", Provenance("cli"))
    space.enroll(space.sequence(mail("One")), "jo")
    erase(space)
    assert space.one("select target from crm.suppression where tenant_id = %s", other) == JO
