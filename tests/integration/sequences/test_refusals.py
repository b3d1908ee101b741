"""What is promised when a mail server refuses, falls silent or drops a connection."""

import pytest

from activity.settings import settings
from db.engine import begin
from db.mail import suppression
from tests.mailserver import Sink
from tests.sequences import Workspace, mail
from worker.append import append_batch

PIPELINING = pytest.mark.parametrize("sink", [True, False], ids=["pipelining", "one by one"], indirect=True)


@PIPELINING
def test_a_4xx_is_tried_again_later_and_later(space: Workspace, sink: Sink) -> None:
    sink.at_rcpt = lambda _: "450 4.2.1 greylisted"
    space.enroll(space.sequence(mail("One")), "jo")
    assert space.send() == {"deferred": 1}
    waits = [space.one("select extract(epoch from due_at - now()) from crm.enrolment")]
    space.due()
    space.send()
    waits.append(space.one("select extract(epoch from due_at - now()) from crm.enrolment"))
    assert 50 < waits[0] <= 60 < 110 < waits[1] <= 120
    sink.at_rcpt = lambda _: None
    space.due()
    assert space.send() == {"sent": 1}
    assert len(space.events("email.deferred")) == 2
    assert space.messages()[0][2] == "sent"


def test_after_ten_tries_a_4xx_is_a_soft_bounce_and_the_sequence_goes_on(
    space: Workspace, sink: Sink
) -> None:
    sink.at_data = lambda _: "452 4.2.2 full" if not sink.taken and len(space.messages()) < 2 else None
    space.enroll(space.sequence(mail("One"), mail()), "jo")
    for _ in range(11):
        space.send()
        space.due()
    assert [row[:3] for row in space.messages()] == [("jo", 1, "bounced"), ("jo", 2, "sent")]
    assert space.one("select count from crm.soft_bounce where address = 'jo@acme.example'") == 1


@PIPELINING
@pytest.mark.parametrize("stage", ["at_rcpt", "at_data"])
@pytest.mark.parametrize(
    "answer",
    [
        "550 5.1.8 Access denied, bad outbound sender",
        "550 5.4.5 Daily user sending limit exceeded",
        "550 5.7.1 Relaying denied",
        "554 5.7.1 Client host blocked by our blocklist",
        "550 SPF check failed",
    ],
)
def test_what_a_server_says_of_us_holds_the_mailbox_and_costs_nobody_a_step(
    space: Workspace, sink: Sink, stage: str, answer: str
) -> None:
    setattr(sink, stage, lambda _: answer)
    space.enroll(space.sequence(mail("One"), mail()), "jo", "kim")
    assert "bounced" not in space.send()
    assert {row[1] for row in space.enrolments()} == {"active"}
    assert space.one("select count(*) from crm.suppression") == 0
    assert answer in space.one("select paused_reason from crm.mailbox")
    setattr(sink, stage, lambda _: None)
    space.admin.execute("update crm.mailbox set paused_until = now()")
    for _ in range(2):
        space.due()
        space.send()
    assert sorted(address for address, _ in sink.taken) == ["jo@acme.example"] * 2 + ["kim@acme.example"] * 2
    assert [row[1] for row in space.enrolments()] == ["finished"] * 2


def test_an_address_that_bounces_softly_too_often_is_suppressed_by_our_own_server_as_by_a_report(
    space: Workspace, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACTIVITY_SOFT_BOUNCE_LIMIT", "1")
    settings.cache_clear()
    sink.at_data = lambda _: "552 5.2.2 mailbox full"
    space.enroll(space.sequence(mail("One"), mail()), "jo")
    assert space.send()["bounced"] == 1
    with begin("producer", space.tenant) as session:
        assert suppression.check(session, space.tenant, "jo@acme.example").reasons == ("soft_bounces",)
    space.due()
    assert space.send() == {}
    assert sink.taken == []


@pytest.mark.parametrize("stage", ["at_rcpt", "at_data"])
def test_a_550_is_a_hard_bounce_that_ends_everything_for_the_address(
    space: Workspace, sink: Sink, stage: str
) -> None:
    setattr(sink, stage, lambda address: "550 5.1.1 no such user" if address.startswith("jo") else None)
    space.enroll(space.sequence(mail("One"), mail()), "jo", "kim")
    assert space.send()["bounced"] == 1
    assert space.enrolments()[0] == ("jo", "finished", "bounced", 1, 0)
    assert [row[1] for row in space.events("email.sent")] == ["kim", "kim"]
    assert space.events("email.bounced") == [("email.bounced", "jo", "1", "550 5.1.1 no such user")]
    with begin("producer", space.tenant) as session:
        assert suppression.check(session, space.tenant, "jo@acme.example").reasons == ("hard_bounce",)


def test_a_refusal_that_is_not_about_the_address_suppresses_nobody(space: Workspace, sink: Sink) -> None:
    sink.at_data = lambda _: "554 5.7.1 looks like spam"
    space.enroll(space.sequence(mail("One")), "jo")
    assert space.send() == {"bounced": 1}
    with begin("producer", space.tenant) as session:
        assert suppression.check(session, space.tenant, "jo@acme.example").reasons == ()


@PIPELINING
def test_a_connection_that_drops_before_the_end_of_a_mail_costs_a_delay_only(
    space: Workspace, sink: Sink
) -> None:
    dropped: list[str] = []

    def once(address: str) -> str | None:
        dropped.append(address)
        return "drop" if len(dropped) == 1 else None

    sink.at_rcpt = once
    space.enroll(space.sequence(mail("One")), "jo", "kim")
    space.send()
    space.due()
    space.send()
    assert sorted(to for to, _ in sink.taken) == ["jo@acme.example", "kim@acme.example"]
    assert len(space.events("email.sent")) == 2


@pytest.mark.parametrize("fault", ["drop", "drop-after"])
def test_no_answer_after_a_whole_mail_is_unknown_and_never_sent_again(
    space: Workspace, sink: Sink, fault: str
) -> None:
    sink.at_data = lambda _: fault if not space.messages() or space.messages()[0][2] == "sending" else None
    space.enroll(space.sequence(mail("One"), mail()), "jo")
    space.send()
    space.due()
    space.send()
    assert [row[:3] for row in space.messages()] == [("jo", 1, "unknown"), ("jo", 2, "sent")]
    assert [row[2] for row in space.events("email.sent")] == ["2"]
    ((_, _, step, reason),) = space.events("sequence.step_skipped")
    assert step == "1"
    assert "unknown" in reason


def test_a_dead_mail_server_pauses_the_mailbox_and_loses_nothing(
    space: Workspace, sink: Sink, free_port: int
) -> None:
    space.admin.execute("update crm.mailbox set port = 1")
    space.enroll(space.sequence(mail("One")), "jo", "kim")
    assert space.send() == {"given back": 2}
    assert [row[1] for row in space.enrolments()] == ["active", "active"]
    append_batch(100)
    assert space.one("select count(*) from activity.event where type = 'mailbox.paused'") == 1
    assert space.one("select day_count from crm.mailbox") == 0
    space.due()
    assert space.send() == {"waiting": 2}
    space.admin.execute("update crm.mailbox set port = %s, paused_until = now()", (sink.port,))
    space.due()
    assert space.send() == {"sent": 2}


def test_a_server_that_wants_the_content_of_a_mail_it_refused_does_not_get_it(
    space: Workspace, sink: Sink
) -> None:
    sink.at_rcpt, sink.heedless = (
        lambda address: "450 4.2.1 later" if address.startswith("jo") else None,
        True,
    )
    space.enroll(space.sequence(mail("One")), "jo", "kim")
    assert space.send() == {"deferred": 1, "sent": 1}
    assert [to for to, _ in sink.taken] == ["kim@acme.example"]


def test_a_server_that_takes_few_connections_gets_all_mails_over_these(space: Workspace, sink: Sink) -> None:
    sink.takes = 2
    space.enroll(space.sequence(mail("One")), *(f"c{n}" for n in range(30)))
    assert space.send() == {"sent": 30}
    assert len(sink.taken) == 30
    assert space.events("mailbox.paused") == []
