"""Whom a report by mail condemns: the person it is surely about, and nobody else."""

import json
from collections.abc import Iterator

import pytest

from producers.mail.inbound.classify import read_mail
from producers.mail.inbound.receive import events_of
from tests import vectors

_HEAD = """From: MAILER-DAEMON@mx.v.example
To: ana@v.example
Subject: Undelivered Mail Returned to Sender
Message-ID: <report@mx.v.example>
MIME-Version: 1.0
"""
_FIELDS = """Content-Type: multipart/report; report-type=delivery-status; boundary=B

--B
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit

{notice}

--B
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.v.example

Final-Recipient: {recipient}
Action: failed
Status: {status}
Diagnostic-Code: smtp; {answer}

--B--
"""
_TEXT = "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n{notice}\n"


def report(**fields: str) -> bytes:
    given = {"notice": "See below.", "recipient": "rfc822; jo@acme.example", "status": "5.0.0"} | fields
    return (_HEAD + (_FIELDS if "answer" in fields else _TEXT).format(**given)).encode()


def condemned(raw: bytes) -> Iterator[str]:
    for event in events_of(read_mail(raw)):
        hard = event.event_type == "email.bounced" and event.bounce_type == "hard"
        if event.recipient and (hard or event.kind in ("complained", "unsubscribed")):
            yield event.recipient.lower()


REPORTS = {
    "a user unknown by an exact status": (
        report(answer="550 5.1.1 nope", status="5.1.1"),
        ["jo@acme.example"],
    ),
    "a user unknown by the words to a bare code": (report(answer="550 User unknown"), ["jo@acme.example"]),
    "a user unknown by words without any code": (
        report(notice="The following recipient could not be reached:\n\n <jo@acme.example>\n User unknown"),
        ["jo@acme.example"],
    ),
    "a recipient of letters beyond ASCII, and not its tail": (
        report(answer="550 5.1.1 x", status="5.1.1", recipient="utf-8; jürgen@eai.example"),
        ["jürgen@eai.example"],
    ),
    "a report for mail in any language": (
        report(answer="550 5.1.1 x", status="5.1.1", recipient="utf-8; jürgen@eai.example").replace(
            b"message/delivery", b"message/global-delivery"
        ),
        ["jürgen@eai.example"],
    ),
    "a recipient beyond ASCII in a text": (
        report(notice="<françois.dur@acme.example>: 550 5.1.1 User unknown"),
        ["françois.dur@acme.example"],
    ),
    "a recipient that a program made a link": (
        report(notice="Failed:\n\njo@acme.example<mailto:jo@acme.example>\n550 5.1.1 unknown user"),
        ["jo@acme.example"],
    ),
    "fields in the text, and a stranger named in the answer": (
        report(
            notice="Final-Recipient: rfc822; jo@acme.example\nAction: failed\nStatus: 5.1.1\n"
            "Diagnostic-Code: smtp; 550 5.1.1 <kim@rival.example>... User unknown"
        ),
        ["jo@acme.example"],
    ),
    "a transcript that goes on with somebody else": (
        report(
            notice="554 <jo@acme.example>... Connection reset by peer\n550 <kim@acme.example>... User unknown"
        ),
        ["kim@acme.example"],
    ),
    "an unknown user in answer to the content": (
        report(answer="550 User unknown", notice="<jo@acme.example>: User unknown (in reply to end of DATA)"),
        [],
    ),
    "our address is refused": (
        report(
            notice="The following address failed:\n\n  jo@acme.example\n    SMTP error after MAIL FROM:"
            "<ana@v.example>:\n    550 Unroutable address"
        ),
        [],
    ),
    "our network is on a list": (report(answer="553 http://spamhaus.example/?ip=1", status="5.1.3"), []),
    "a full mailbox under the status of an unknown one": (
        report(answer="552 5.2.2 Over quota", status="5.1.1"),
        [],
    ),
    "an access denied within a relay's general words": (
        report(answer="5.1.0 - Unknown address error 550-'5.7.1 Access denied'", status="5.1.0"),
        [],
    ),
    "a failure of the way there": (report(answer="554 5.4.6 too many hops", status="5.4.6"), []),
    "a passing failure": (report(answer="450 4.1.1 User unknown", status="4.1.1"), []),
}


@pytest.mark.parametrize("name", REPORTS)
def test_a_report_condemns_whom_it_is_surely_about_and_nobody_else(name: str) -> None:
    raw, people = REPORTS[name]
    assert list(condemned(raw)) == people


# What the collection calls filtered says "user unknown" in words; of these it states something else than the
# mail says: the second spelling of a recipient, a full mailbox.
_ODD = {"sisimai-lhost-office365-04.eml", "sisimai-rfc3464-01.eml"}


@vectors.extra
def test_no_real_report_condemns_a_person_whom_it_is_not_surely_about() -> None:
    folder = vectors.FOREIGN / "eml-bounces"
    wrong, gone, found = [], 0, 0
    for one in json.loads((folder / "manifest.json").read_text(encoding="utf-8")):
        people = set(condemned((folder / one["file"]).read_bytes()))
        sure = {report["recipient"].lower().replace('"', "") for report in one["reports"] if report["hard"]}
        said = {
            report["recipient"].lower().replace('"', "")
            for report in one["reports"]
            if report["reason"] in ("filtered", "feedback")
        }
        gone, found = gone + len(sure), found + len(sure & people)
        if one["file"] not in _ODD and not people <= sure | said:
            wrong.append((one["file"], people - sure - said))
    assert wrong == []
    assert found / gone >= 0.85
