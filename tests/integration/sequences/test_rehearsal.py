"""A mail is seen before it goes, as it would go, and nothing of it counts."""

from collections.abc import Callable
from email.message import EmailMessage

import httpx
import pytest

from db.engine import begin
from db.mail import suppression
from db.mail.suppression import Provenance
from db.records import records
from producers.sequences.definition import EmailStep, Variant, WaitStep
from producers.sequences.rehearsal import SequencePreview, preview
from tests.command import activity
from tests.mailserver import Sink
from tests.sequences import Workspace

WAY_OUT = "Hello {{ contact.first_name }}, leave by {{ unsubscribe_url }}"
FIRST = EmailStep(variants=(Variant(subject="Renewal", text=WAY_OUT, html="<p>{{ contact.name }}</p>"),))
SECOND = EmailStep(variants=(Variant(text=WAY_OUT),))
GAP = EmailStep(variants=(Variant(text="Plan {{ contact.fields.plan }}"),))


@pytest.fixture
def seen(space: Workspace) -> Callable[..., SequencePreview]:
    """A function that previews a sequence of these steps for Jo."""

    def look(*steps: EmailStep | WaitStep) -> SequencePreview:
        space.sequence(*steps)
        with begin("producer", space.tenant) as session:
            person = records.Contact(id="jo", name="Jo Park", email="jo@acme.example")
            records.upsert(session, space.tenant, [person])
        with begin("reader", space.tenant) as session:
            return preview(session, space.tenant, f"S{len(steps)}", "jo")

    return look


def body(sent: EmailMessage, kind: str) -> str:
    part = sent.get_body((kind,))
    assert part is not None
    return str(part.get_content())


def test_what_is_seen_is_what_is_sent(
    space: Workspace, sink: Sink, seen: Callable[..., SequencePreview]
) -> None:
    found = seen(FIRST, SECOND)
    space.enroll(space.one("select id from crm.sequence"), "jo")
    space.send()
    first, second = sink.mails()
    assert found.recipient == "jo@acme.example"
    assert [mail.subject for mail in found.mails] == [first["Subject"], second["Subject"]]
    assert (found.mails[0].html or "").split("<img")[0] == body(first, "html").split("<img")[0]
    assert found.mails[1].text.split("http")[0] == body(second, "plain").split("http")[0]


def test_seeing_it_changes_nothing(
    space: Workspace, sink: Sink, seen: Callable[..., SequencePreview]
) -> None:
    seen(FIRST, WaitStep(days=1), SECOND)
    assert (space.enrolments(), space.messages(), sink.taken) == ([], [], [])


def test_what_could_not_be_written_is_told_with_the_step_that_it_ends_at(
    seen: Callable[..., SequencePreview],
) -> None:
    first, gap = seen(FIRST, GAP, SECOND).mails
    assert (first.problem, gap.step) == (None, 2)
    assert "plan" in str(gap.problem)


def test_a_person_is_warned_of_a_mail_without_a_visible_way_out(
    seen: Callable[..., SequencePreview],
) -> None:
    first, second = seen(FIRST, SECOND).mails
    assert any("no visible way out" in warning for warning in first.warnings)
    assert not any("no visible way out" in warning for warning in second.warnings)


def test_why_nothing_would_go_is_seen_too(space: Workspace, seen: Callable[..., SequencePreview]) -> None:
    with begin("producer", space.tenant) as session:
        suppression.add(session, space.tenant, "jo@acme.example", "complaint", Provenance("ses"))
    assert seen(FIRST).refusal == "suppressed: complaint"


def test_a_trial_goes_to_you_alone_and_counts_as_nobodys_mail(
    space: Workspace, sink: Sink, seen: Callable[..., SequencePreview]
) -> None:
    seen(FIRST, SECOND)
    to_me = ("--to", "me@v.example", "--step", 2)
    assert "250" in activity("sequence", "test-send", "S2", "jo", *to_me)
    (sent,) = sink.mails()
    assert (sink.taken[0][0], sent["Subject"]) == ("me@v.example", "Re: Renewal")
    assert "Hello Jo" in body(sent, "plain")
    assert (space.enrolments(), space.messages()) == ([], [])
    sink.at_rcpt = lambda _: "550 5.1.1 who?"
    assert "did not accept it: 550 5.1.1 who?" in activity(
        "sequence", "test-send", "S2", "jo", *to_me, code=2
    )
    assert space.one("select count(*) from crm.suppression") == 0
    sink.at_rcpt = lambda _: None
    with begin("producer", space.tenant) as session:
        suppression.add(session, space.tenant, "me@v.example", "manual", Provenance("cli"))
    assert "is not written to" in activity("sequence", "test-send", "S2", "jo", *to_me, code=2)


def test_the_command_and_the_api_show_it(
    seen: Callable[..., SequencePreview], send: Callable[..., httpx.Response]
) -> None:
    seen(FIRST, SECOND)
    shown = activity("sequence", "preview", "S2", "jo")
    assert "to jo@acme.example" in shown
    assert "step 2, variant A: Re: Renewal" in shown
    answer = send("GET", "/v1/sequences/S2/preview?contact=jo").json()
    assert [mail["subject"] for mail in answer["mails"]] == ["Renewal", "Re: Renewal"]
    assert send("GET", "/v1/sequences/S2/preview?contact=nobody").status_code == 404
