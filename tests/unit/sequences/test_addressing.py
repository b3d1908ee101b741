"""What an address and a mail's headers and lines may be, whatever a contact is called."""

import re
from email.parser import BytesParser
from email.policy import default
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markupsafe import escape

from producers.sequences.definition import (
    EmailStep,
    SequenceDefinition,
    Variant,
)
from producers.sequences.mail import InvalidAddress, Outgoing, compose, deliverable, message_id, thread_id
from tests.sequences import box, due


@pytest.mark.parametrize(
    "address",
    [
        "",
        "jo",
        "@acme.example",
        "jo@",
        "jo@acme..example",
        "jo\r\nBcc: x@acme.example",
        "a b@acme.example",
        "a@b@c.example",
        "a,b@c.example",
        "<a@c.example>",
        "jo@\u2615.example",
    ],
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(InvalidAddress):
        deliverable(address)


def test_an_address_is_written_as_mail_servers_take_it() -> None:
    assert deliverable("jo@bücher.example") == ("jo@xn--bcher-kva.example", False)
    assert deliverable("jö@acme.example") == ("jö@acme.example", True)
    assert deliverable("info@straße.example") == ("info@xn--strae-oqa.example", False)


@pytest.mark.usefixtures("keys")
@given(st.text(max_size=300), st.text(max_size=300))
def test_whatever_a_contact_is_called_a_mail_has_the_headers_we_wrote(name: str, field: str) -> None:
    variant = Variant(
        subject="For {{ contact.fields.x }}", text="{{ contact.name }}", html="<p>{{ contact.name }}</p>"
    )
    definition = SequenceDefinition(
        name="S", mailbox="ana@v.example", steps=(EmailStep(variants=(variant,)),)
    )
    out = Outgoing(
        due(contact_name=name, fields={"x": field}),
        definition,
        variant,
        1,
        1,
        message_id(1, 1, 1, "ana@v.example"),
        thread_id(1, 1),
    )
    head = compose(out, box(name=name)).content.split(b"\r\n\r\n")[0].decode()
    names = [line.split(":")[0] for line in head.split("\r\n") if not line.startswith(" ")]
    assert names == [
        *(
            "From",
            "To",
            "Subject",
            "Date",
            "Message-ID",
            "List-Unsubscribe",
            "List-Unsubscribe-Post",
            "MIME-Version",
            "Content-Type",
        ),
    ]
    assert max(len(line) for line in head.split("\r\n")) < 998


@pytest.mark.usefixtures("keys")
@given(st.text(max_size=300), st.integers(1, 60))
@example("\r", 1)
def test_whatever_a_mail_says_arrives_as_it_was_written_in_lines_that_every_server_takes(
    field: str, times: int
) -> None:
    variant = Variant(
        subject="S", text="{{ contact.fields.x }}\nEnd", html="<p>{{ contact.fields.x }}</p>\n<p>End</p>"
    )
    definition = SequenceDefinition(
        name="S", mailbox="ana@v.example", steps=(EmailStep(variants=(variant,)),), track_opens=False
    )
    who = due(fields={"x": field * times})
    content = compose(
        Outgoing(who, definition, variant, 1, 1, message_id(1, 1, 1, "ana@v.example"), thread_id(1, 1)), box()
    ).content
    lines = content.split(b"\r\n")
    assert max(map(len, lines)) <= 200
    assert all(b"\n" not in line and b"\r" not in line and line.isascii() for line in lines)
    mail: Any = BytesParser(policy=default).parsebytes(content)

    def tidied(text: str) -> str:
        text = re.sub("\r\n?", "\n", text)
        return "".join(
            "\N{REPLACEMENT CHARACTER}" if (c < " " and c not in "\t\n") or c == "\x7f" else c for c in text
        )

    said = [mail.get_body((kind,)).get_content().replace("\r\n", "\n") for kind in ("plain", "html")]
    assert said == [
        tidied(f"{field * times}\nEnd\n"),
        tidied(f"<p>{escape(field * times)}</p>\n<p>End</p>\n"),
    ]
