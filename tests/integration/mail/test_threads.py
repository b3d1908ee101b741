"""Which mails that come in answer ours, and which a person of ours wrote."""

import pytest

from db.engine import begin
from db.mail import suppression
from producers.mail.inbound.receive import receive_mail
from tests.sequences import Workspace

STRANGE = "<another-thread@elsewhere.example>"


def take(
    space: Workspace, subject: str, reference: str | None, sender: str = "jo@acme.example", text: str = "Yes"
) -> list[str]:
    """Take a mail; return the types of the events that it became, for jo."""
    if reference == "ours":
        sent = space.one("select message_id from crm.message")
        reference = f"<{sent}>"
    lines = [f"From: {sender}", "To: jo@acme.example", f"Subject: {subject}", "Message-ID: <in@acme.example>"]
    lines += [f"In-Reply-To: {reference}"] if reference else []
    receive_mail(space.tenant, ("\n".join(lines) + f"\n\n{text}\n").encode())
    kinds = ("email.replied", "email.received", "email.sent", "email.unsubscribed")
    return [row[0] for row in space.events(*kinds) if row[1] == "jo"][1:]


@pytest.mark.parametrize(
    ("subject", "reference", "sender"),
    [
        ("Re: Renewal", "ours", "jo@acme.example"),
        ("Something", "ours", "alias@elsewhere.example"),
        ("Re: Renewal", STRANGE, "jo@acme.example"),
        ("RES: Renewal", None, "JO@acme.example"),
        ("RE: [EXTERNAL] Renewal", None, "jo@acme.example"),
    ],
)
def test_an_answer_is_known_by_our_id_or_our_subject(
    space: Workspace, subject: str, reference: str | None, sender: str
) -> None:
    assert take(space, subject, reference, sender) == ["email.replied"]
    assert [row[1:3] for row in space.enrolments()] == [("finished", "replied")]


def test_an_answer_names_the_mailbox_whose_owner_may_read_it(space: Workspace) -> None:
    take(space, "Re: Renewal", "ours")
    named = "select payload ->> 'mailbox' from activity.event where type = 'email.replied'"
    assert space.one(named) == space.one("select address from crm.mailbox")


@pytest.mark.parametrize(("subject", "reference"), [("Re: Invoice 2231", STRANGE), ("Fwd: Renewal", None)])
def test_a_mail_of_another_thread_answers_no_sequence(
    space: Workspace, subject: str, reference: str | None
) -> None:
    assert take(space, subject, reference) == ["email.received"]
    assert [row[1] for row in space.enrolments()] == ["active"]
    assert (
        space.one("select payload->>'subject' from activity.event where type = 'email.received'") == subject
    )


@pytest.mark.parametrize("reference", ["ours", None])
def test_a_mail_of_ours_is_nobodys_answer(space: Workspace, reference: str | None) -> None:
    assert take(space, "Re: Renewal", reference, "Ana <ANA@v.example>") == ["email.sent"]
    assert [row[1] for row in space.enrolments()] == ["active"]


def test_a_copy_of_what_a_sequence_sent_adds_nothing(space: Workspace) -> None:
    sent = space.one("select message_id from crm.message")
    raw = f"From: ana@v.example\nTo: jo@acme.example\nSubject: Renewal\nMessage-ID: <{sent}>\n\nHello Jo\n"
    assert receive_mail(space.tenant, raw.encode())[0]["class"] == "other"
    assert len(space.events("email.sent", "email.received")) == 1


def test_the_word_unsubscribe_is_an_unsubscription(space: Workspace) -> None:
    assert take(space, "Re: Renewal", "ours", text="unsubscribe") == ["email.unsubscribed"]
    assert [row[1:3] for row in space.enrolments()] == [("finished", "unsubscribed")]
    with begin("producer", space.tenant) as session:
        assert suppression.check(session, space.tenant, "jo@acme.example").reasons
