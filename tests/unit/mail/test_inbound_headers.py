"""Who wrote a mail is its address, in whatever way a program wrote the header."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.mail.inbound.classify import UnreadableMail, read_mail


@pytest.mark.parametrize(
    ("line", "name", "address"),
    [
        ("=?iso-8859-1?Q?M=FCller=2C_J=F6rg?= <joerg@acme.example>", "Müller, Jörg", "joerg@acme.example"),
        ("=?utf-8?Q?=3Ckim=40a.example=3E?= <x@evil.example>", "<kim@a.example>", "x@evil.example"),
        ("Jörg <jörg@acme.example>", "Jörg", "jörg@acme.example"),
        ("=?utf-8?Q?J=C3=B6r?=\r\n =?utf-8?Q?g?= <joerg@acme.example>", "Jörg", "joerg@acme.example"),
        ("=?utf-8?B?44Gf44?= =?utf-8?B?Gf?= <ta@acme.example>", None, "ta@acme.example"),
        ("=?no-charset?Q?J?= <jo@acme.example>", "=?no-charset?Q?J?=", "jo@acme.example"),
        ("jo@acme.example", None, "jo@acme.example"),
    ],
)
def test_a_header_is_parsed_and_then_its_names_are_decoded(line: str, name: str | None, address: str) -> None:
    found = read_mail(f"From: {line}\r\nSubject: Größe\r\n\r\nHi".encode())
    assert (found.from_address, found.subject) == (address, "Größe")
    assert name is None or found.from_name == name
    assert name is not None or "=?" in line or found.from_name is None


def test_a_header_in_latin_1_is_read_too() -> None:
    found = read_mail("From: Jörg <jo@acme.example>\n\nHi".encode("latin-1"))
    assert (found.from_name, found.from_address) == ("Jörg", "jo@acme.example")


@given(st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=60))
def test_any_from_line_leaves_the_mail_readable(line: str) -> None:
    try:
        found = read_mail(f"From: {line}\r\n\r\nHi".encode())
    except UnreadableMail:
        pytest.fail("a From line stopped a mail")
    assert found.from_address is None or "@" in found.from_address
