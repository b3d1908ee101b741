"""People's answers are never taken for machines', and machines' never for people's."""

import pytest

from producers.mail.inbound.classify import read_mail
from producers.mail.inbound.subject import answers


def read(subject: str, text: str = "Yes", sender: str = "Jo <jo@acme.example>", more: str = "") -> str:
    lines = (f"From: {sender}", f"Subject: {subject}", "In-Reply-To: <1@v.example>", more)
    return read_mail(("\n".join(filter(None, lines)) + f"\n\n{text}\n").encode()).class_


@pytest.mark.parametrize(
    "subject",
    [
        "Re: Automated responses for Acme",
        "Re: Absence management for Acme",
        "Re: On holiday rentals in Spain",
        "Re: Out of office hours support",
        "Automated responsesuite",
        "Absence management",
        "On holiday rentals",
        "Automatisches Berichtswesen",
        "Away from spreadsheets",
        "AW: Abwesenheitsverwaltung",
    ],
)
def test_a_person_answers_whatever_our_subject_was(subject: str) -> None:
    assert read(subject) == "reply"


@pytest.mark.parametrize(
    "subject",
    [
        "Automatic reply: Renewal",
        "Out of Office: Renewal",
        "Out of office",
        "On vacation until Monday",
        "Abwesenheitsnotiz: Renewal",
        "Automatische Antwort: Renewal",
        "Réponse automatique : Renewal",
        "Absence du bureau",
        "Respuesta automática: Renewal",
        "自動返信: Renewal",
        "自动回复: Renewal",
        "자동 회신: Renewal",
        "Автоответ: Renewal",
        "Otomatik yan\u0131t: Renewal",
    ],
)
def test_an_away_note_is_a_machines_in_the_languages_of_the_field(subject: str) -> None:
    assert read(subject) == "auto_reply"


@pytest.mark.parametrize(
    "line",
    [
        "X-MS-Exchange-Inbox-Rules-Loop: ana@v.example",
        "X-Autoreply: no",
        "X-Autorespond: none",
        "Auto-Submitted: no (a person)",
        "X-Auto-Response-Suppress: All",
    ],
)
def test_a_persons_own_rule_and_a_denial_make_no_machine(line: str) -> None:
    assert read("Re: Renewal", more=line) == "reply"


@pytest.mark.parametrize(
    "sender",
    [
        "Mia Lee <mia@bounce-house.example>",
        '"Jo (Postmaster team)" <jo@acme.example>',
        "Ana Bounces <ana.bounce@acme.example>",
    ],
)
def test_a_person_whose_name_or_domain_sounds_like_a_mail_system_is_a_person(sender: str) -> None:
    assert read("Re: Renewal", "Yes! And <tom@acme.example> says 550 is too much.", sender) == "reply"


def test_what_looks_like_a_report_is_never_a_reply() -> None:
    said = "Your mail to <tom@acme.example> failed: 550 5.1.1 User unknown"
    assert read("Undeliverable: Renewal", said, "Gateway <gw@acme.example>") == "bounce"
    assert read("Undeliverable: Renewal", "It did not arrive.", "Gateway <gw@acme.example>") == "other"
    assert read("Re: Undeliverable: Renewal", said) == "reply"


@pytest.mark.parametrize(
    "text",
    [
        "unsubscribe",
        "Unsubscribe!",
        "STOP",
        "stop please",
        "Please unsubscribe me from your mailing list. ",
        "Please remove me from this list, thank you.",
        "Bitte abmelden",
        "désabonner",
        "Darme de baja, por favor",
        "退订",
        "unsubscribe\n\nJo Park\nAcme",
    ],
)
def test_the_wish_for_no_more_mail_is_heard_in_an_answer(text: str) -> None:
    assert read("Re: Renewal", text) == "opt_out"


@pytest.mark.parametrize(
    "text",
    [
        "How do your customers unsubscribe?",
        "Cancelled.",
        "Remove from the quote",
        "Stop by on Tuesday",
        "We cannot stop the old contract before May",
        "Stop. I meant Tuesday.",
        "Yes",
    ],
)
def test_what_a_person_says_beside_the_word_is_an_answer(text: str) -> None:
    assert read("Re: Renewal", text) == "reply"


@pytest.mark.parametrize(
    ("disposition", "class_"),
    [
        ("manual-action/MDN-sent-manually; displayed", "receipt"),
        ("automatic-action/MDN-sent-automatically; displayed/warning", "receipt"),
        ("automatic-action/MDN-sent-automatically; deleted", "auto_reply"),
        ("manual-action/MDN-sent-manually; denied", "auto_reply"),
        ("manual-action/MDN-sent-automatically; dispatched", "auto_reply"),
    ],
)
def test_a_receipt_of_a_mail_that_nobody_saw_is_no_opening(disposition: str, class_: str) -> None:
    part = f"Disposition: {disposition}\nOriginal-Message-ID: <1@v.example>"
    text = f"--b\nContent-Type: message/disposition-notification\n\n{part}\n\n--b--"
    assert read("Not read: Renewal", text, more='Content-Type: multipart/report; boundary="b"') == class_


def test_a_calendar_answer_is_no_answer_to_the_mail() -> None:
    assert read("Accepted: Renewal", "BEGIN:VCALENDAR", more="Content-Type: text/calendar") == "calendar"


@pytest.mark.parametrize(
    "mark", ["Re: ", "RES: ", "VS: ", "R: ", "RE: [EXTERNAL] ", "[EXT] AW: ", "Re[2]: ", "回复\uff1a"]
)
def test_an_answers_subject_is_ours_behind_any_mark(mark: str) -> None:
    assert answers(f"{mark}Renewal: terms", "Renewal: terms")
    assert not answers(f"{mark}Invoice", "Renewal: terms")


@pytest.mark.parametrize(
    "subject", ["Renewal", "Fwd: Renewal", "WG: Renewal", "[EXT] Renewal", "Accepted: Renewal"]
)
def test_what_has_no_mark_of_an_answer_answers_nothing(subject: str) -> None:
    assert not answers(subject, "Renewal")
