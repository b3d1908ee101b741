"""What the sequence engine promises of every mail, with a real mail server."""

from collections.abc import Callable
from typing import Any

import pytest

from db.engine import EVERY_TENANT, begin
from db.mail import consent, suppression
from db.mail.suppression import Provenance
from db.sequences import messages, sequences
from producers.sequences import stop
from producers.sequences.definition import WaitStep
from producers.sequences.sending.send import send_chunk
from producers.sequences.sending.window import Window
from tests.command import activity
from tests.mailserver import Sink
from tests.sequences import Workspace, mail

BY_TEST = Provenance("test")
PIPELINING = pytest.mark.parametrize("sink", [True, False], ids=["pipelining", "one by one"], indirect=True)


@PIPELINING
def test_each_step_is_sent_once_and_said_once(space: Workspace, sink: Sink) -> None:
    space.enroll(space.sequence(mail("One"), mail(), mail()), "jo", "kim")
    assert space.send()["sent"] == 6
    assert sorted(to for to, _ in sink.taken) == ["jo@acme.example"] * 3 + ["kim@acme.example"] * 3
    assert sorted(space.events("email.sent")) == [
        ("email.sent", who, str(step), None) for who in ("jo", "kim") for step in (1, 2, 3)
    ]
    assert space.enrolments() == [(who, "finished", "completed", 4, 3) for who in ("jo", "kim")]
    assert [(kind, why) for kind, _, _, why in space.events("sequence.finished")] == [
        ("sequence.finished", "completed")
    ] * 2
    assert space.send() == {}


def test_the_steps_are_one_thread(space: Workspace, sink: Sink) -> None:
    space.enroll(
        space.sequence(mail("Renewal of {{ account.name|default('you') }}"), mail(), mail("Another")), "jo"
    )
    space.send()
    first, second, third = sink.mails()
    assert second["In-Reply-To"] == first["Message-ID"]
    assert third["References"] == f"{first['Message-ID']} {second['Message-ID']}"
    assert [m["Subject"] for m in (first, second, third)] == ["Renewal of", "Re: Renewal of", "Another"]
    with begin("producer", space.tenant) as session:
        found = messages.by_row(session, space.one("select min(id) from crm.message"))
        assert found is not None
        assert (found.contact_id, found.step, found.state, found.subject) == ("jo", 1, "sent", "Renewal of")


def test_a_mail_can_be_left_by_one_click_and_its_links_are_tracked(space: Workspace, sink: Sink) -> None:
    space.enroll(space.sequence(mail("One")), "jo")
    space.send()
    (sent,) = sink.mails()
    assert sent["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert sent["List-Unsubscribe"].startswith("<http://127.0.0.1:8000/u/k1.")
    html = sent.get_body(("html",))
    assert html is not None
    assert "https://v.example/p" not in html.get_content()
    assert 'src="http://127.0.0.1:8000/t/o/k1.' in html.get_content()
    assert 'href="http://127.0.0.1:8000/t/c/k1.' in html.get_content()


def test_a_wait_is_waited_for(space: Workspace, sink: Sink) -> None:
    space.enroll(space.sequence(mail("One"), WaitStep(days=3), mail()), "jo")
    assert space.send() == {"sent": 1}
    days = space.one("select extract(epoch from due_at - now()) / 86400 from crm.enrolment")
    assert 2.99 < days <= 3
    space.due()
    assert space.send() == {"sent": 1}


@pytest.mark.parametrize(
    ("before", "reason"),
    [
        ("suppressed address", "suppressed: complaint"),
        ("suppressed domain", "suppressed: complaint"),
        ("consent withdrawn", "consent withdrawn"),
        ("no consent", "no consent"),
        ("no address", "no e-mail address"),
        ("contact gone", "the contact is gone"),
    ],
)
def test_who_may_not_be_written_to_gets_nothing_and_the_reason_is_seen(
    space: Workspace, sink: Sink, before: str, reason: str
) -> None:
    space.enroll(space.sequence(mail("One"), consent="opt_in" if before == "no consent" else "opt_out"), "jo")
    with begin("producer", space.tenant) as session:
        if before == "suppressed address":
            suppression.add(session, space.tenant, "Jo@ACME.example", "complaint", BY_TEST)
        if before == "suppressed domain":
            suppression.add(session, space.tenant, "acme.example", "complaint", BY_TEST)
        if before == "consent withdrawn":
            consent.record(session, space.tenant, "jo@acme.example", False, BY_TEST)
    if before == "no address":
        space.admin.execute("update crm.contact set email = null")
    if before == "contact gone":
        space.admin.execute("delete from crm.contact")
    assert space.send() == {"finished": 1}
    assert sink.taken == []
    assert space.enrolments() == [("jo", "finished", reason, 1, 0)]
    assert space.events("sequence.step_skipped", "sequence.finished") == [
        ("sequence.step_skipped", "jo", "1", reason),
        ("sequence.finished", "jo", "1", reason),
    ]


def test_a_stopped_contact_gets_no_more(space: Workspace, sink: Sink) -> None:
    space.enroll(space.sequence(mail("One"), mail()), "jo")
    with begin("producer", space.tenant) as session:
        assert stop(session, space.tenant, "jo", "replied") == 1
    assert space.send() == {}
    assert sink.taken == []


def test_what_is_paused_waits_with_its_reason_and_goes_on_when_resumed(space: Workspace, sink: Sink) -> None:
    sequence = space.sequence(mail("One"))
    space.enroll(sequence, "jo")
    with begin("producer", space.tenant) as session:
        sequences.set_paused(session, space.tenant, sequence, True)
    assert space.send() == {"waiting": 1}
    assert space.enrolments() == [("jo", "active", "sequence paused", 1, 0)]
    assert space.one("select due_at from crm.enrolment") is None
    with begin("producer", space.tenant) as session:
        sequences.set_paused(session, space.tenant, sequence, False)
    assert space.send() == {"sent": 1}


def test_outside_its_window_a_mail_waits_for_the_contacts_morning(space: Workspace, sink: Sink) -> None:
    never_now = Window(days=("mon",), start="00:00", end="00:01")
    space.enroll(space.sequence(mail("One"), window=never_now), "jo", fields={"time_zone": "Asia/Tokyo"})
    space.send()
    local = space.one(
        "select to_char(due_at at time zone 'Asia/Tokyo', 'Dy HH24:MI') from crm.enrolment where reason = "
        "'outside the send window'"
    )
    assert local == "Mon 00:00"
    assert sink.taken == []


@pytest.mark.parametrize(
    ("limits", "sent", "reason"),
    [
        ("per_minute = 3", 3, "mailbox: limit of 3 a minute"),
        ("per_day = 4", 4, "mailbox: limit of 4 a day"),
        ("spacing_seconds = 90", 1, "mailbox: spacing"),
    ],
)
def test_a_mailbox_never_sends_more_than_its_limits(
    space: Workspace, sink: Sink, limits: str, sent: int, reason: str
) -> None:
    space.admin.execute("update crm.mailbox set " + limits)  # noqa: S608  # the test's own text
    space.enroll(space.sequence(mail("One")), *(f"c{n}" for n in range(6)))
    assert space.send() == {"sent": sent, "waiting": 6 - sent}
    space.due()
    assert space.send() == {"waiting": 6 - sent}
    assert len(sink.taken) == sent
    assert {row[2] for row in space.enrolments() if row[1] == "active"} == {reason}


def test_a_workspace_never_sends_more_than_its_limit(space: Workspace, sink: Sink) -> None:
    space.admin.execute("insert into crm.sending_limit (tenant_id, per_day) values (%s, 2)", (space.tenant,))
    space.enroll(space.sequence(mail("One")), "a", "b", "c")
    assert space.send() == {"sent": 2, "waiting": 1}


def test_who_is_slow_holds_up_nobody_else(space: Workspace, sink: Sink) -> None:
    sink.at_rcpt = lambda address: "slow" if address.startswith("jo") else None
    space.enroll(space.sequence(mail("One")), "jo", *(f"c{n}" for n in range(11)))
    assert space.send() == {"sent": 12}
    assert sink.taken[-1][0] == "jo@acme.example"


def test_a_worker_that_died_before_the_end_of_a_mail_leaves_it_to_the_next(
    space: Workspace, sink: Sink
) -> None:
    from producers.sequences.sending.claim import claim_chunk

    space.enroll(space.sequence(mail("One")), "jo")
    with begin("producer", EVERY_TENANT) as session:
        assert len(claim_chunk(session, 10).mails) == 1
    assert space.send() == {}
    space.due()
    assert space.send() == {"sent": 1}


@pytest.mark.parametrize(
    ("found", "state", "kind"),
    [("--sent", "sent", "email.sent"), ("--not-sent", "skipped", "sequence.step_skipped")],
)
def test_a_person_settles_what_nobody_could_know(
    space: Workspace, sink: Sink, found: str, state: str, kind: str
) -> None:
    sink.at_data = lambda _: "drop-after"
    space.enroll(space.sequence(mail("One")), "jo")
    assert space.send() == {"unknown": 1}
    message_id = space.one("select message_id from crm.message")
    settle = [
        "sequence",
        "settle",
        f"<{message_id}>",
        found,
        "--by",
        "bo@v.example",
        "--tenant",
        space.tenant,
    ]
    assert message_id in activity(*settle)
    assert [row[2] for row in space.messages()] == [state]
    space.events()
    said = space.admin.execute(
        "select type, actor, record_type from activity.event where actor like 'bo@%%'"
    ).fetchall()
    assert said == [(kind, "bo@v.example", "thread" if state == "sent" else "sequence")]
    assert "is unknown" in activity(*settle, code=2), "once"
    space.due()
    assert (space.send(), len(sink.taken)) == ({}, 1)


def test_a_worker_that_died_in_the_one_moment_leaves_it_unknown(space: Workspace, sink: Sink) -> None:
    from producers.sequences.sending.claim import claim_chunk
    from producers.sequences.sending.outcomes import mark

    space.enroll(space.sequence(mail("One"), mail()), "jo")
    with begin("producer", EVERY_TENANT) as session:
        ((out,),) = claim_chunk(session, 10).mails.values()
    assert mark([out]) == [True]
    space.due()
    assert space.send() == {"waiting": 1}
    space.admin.execute("update crm.message set sending_at = sending_at - interval '1 hour'")
    space.due()
    assert space.send()["unknown"] == 1
    assert [row[:3] for row in space.messages()] == [("jo", 1, "unknown"), ("jo", 2, "sent")]
    assert [row[2] for row in space.events("email.sent")] == ["2"]


def test_a_holder_that_comes_back_late_cannot_send(space: Workspace, sink: Sink) -> None:
    from producers.sequences.sending.claim import claim_chunk
    from producers.sequences.sending.outcomes import mark

    space.enroll(space.sequence(mail("One")), "jo")
    with begin("producer", EVERY_TENANT) as session:
        ((late,),) = claim_chunk(session, 10).mails.values()
    space.due()
    assert space.send() == {"sent": 1}
    assert mark([late]) == [False]


def test_who_unsubscribes_between_the_gate_and_the_mails_end_gets_nothing(
    space: Workspace, sink: Sink
) -> None:
    def suppress(address: str) -> None:
        with begin("producer", space.tenant) as session:
            suppression.add(session, space.tenant, address, "unsubscribed", BY_TEST)

    sink.at_rcpt = suppress
    space.enroll(space.sequence(mail("One")), "jo")
    space.send()
    assert sink.taken == []
    assert space.enrolments() == [("jo", "finished", "suppressed: unsubscribed", 1, 0)]


def test_an_enrolment_keeps_the_version_it_started_with(space: Workspace, sink: Sink) -> None:
    sequence = space.sequence(mail("Old"))
    space.enroll(sequence, "jo")
    assert space.sequence(mail("New")) == sequence
    space.enroll(sequence, "kim")
    space.send()
    assert {m["To"].addresses[0].username: m["Subject"] for m in sink.mails()} == {"jo": "Old", "kim": "New"}


def test_a_template_that_lacks_a_value_sends_nothing_and_says_so(space: Workspace, sink: Sink) -> None:
    space.enroll(space.sequence(mail("One", "Your plan is {{ contact.fields.plan }}")), "jo")
    assert space.send() == {"skipped": 1}
    assert sink.taken == []
    ((_, _, _, reason),) = space.events("sequence.step_skipped")
    assert "plan" in reason


def test_two_workers_at_once_send_each_mail_once(space: Workspace, sink: Sink) -> None:
    from concurrent.futures import ThreadPoolExecutor

    space.enroll(space.sequence(mail("One")), *(f"c{n}" for n in range(40)))
    work: Callable[[int], Any] = lambda _: send_chunk(10)  # noqa: E731  # a name for the type
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(work, range(8)))
    assert sorted(to for to, _ in sink.taken) == sorted(f"c{n}@acme.example" for n in range(40))
    assert len(space.events("email.sent")) == 40
