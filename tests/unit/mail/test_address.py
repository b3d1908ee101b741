"""One person is one address, however it is spelt, and another owner's is never taken for it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activity.address import InvalidDomain, ascii_domain, canonical, mailboxes, spellings


@pytest.mark.parametrize(
    ("written", "known"),
    [
        ("straße.example", "xn--strae-oqa.example"),
        ("faß.example", "xn--fa-hia.example"),
        ("βόλος.example", "xn--nxasmm1c.example"),
        ("MÜNCHEN.example", "xn--mnchen-3ya.example"),
        ("mu\u0308nchen.example.", "xn--mnchen-3ya.example"),
        ("XN--MNCHEN-3YA.Example", "xn--mnchen-3ya.example"),
        ("食狮。公司.cn", "xn--85x722f.xn--55qx5d.cn"),
        ("a_b.acme.example", "a_b.acme.example"),
    ],
)
def test_a_domain_is_written_as_dns_knows_it(written: str, known: str) -> None:
    assert ascii_domain(written) == known


@pytest.mark.parametrize("domain", ["☕.example", "xn--a.example", "-ü.example", "ü" * 64 + ".example"])
def test_what_is_no_domain_is_refused_for_sending_and_kept_for_comparing(domain: str) -> None:
    with pytest.raises(InvalidDomain, match="is not a valid domain"):
        ascii_domain(domain)
    assert canonical(f"Jo@{domain.upper()}").startswith("jo@")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("info@münchen.example", " Info@XN--mnchen-3ya.example"),
        ("ju\u0308rgen@acme.example", "JÜRGEN@ACME.EXAMPLE."),
        ("münchen.example", "xn--mnchen-3ya.example"),
    ],
)
def test_two_spellings_of_one_address_are_one(one: str, other: str) -> None:
    assert canonical(one) == canonical(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("info@straße.example", "info@strasse.example"),
        ("jürgen@acme.example", "rgen@acme.example"),
        ("a@b@c.example", "a@c.example"),
    ],
)
def test_two_addresses_stay_two(one: str, other: str) -> None:
    assert canonical(one) != canonical(other)


@given(st.text(max_size=100))
def test_what_is_canonical_stays_so(text: str) -> None:
    once = canonical(text)
    assert canonical(once) == once
    assert canonical(f"  {text}\n") == once


@pytest.mark.parametrize(
    ("header", "listed"),
    [
        ("jo@acme.example", [("", "jo@acme.example")]),
        ("Jo Park <jo@acme.example>", [("Jo Park", "jo@acme.example")]),
        ('"Park, Jo" <jo@acme.example>', [("Park, Jo", "jo@acme.example")]),
        ("Park, Jo <jo@acme.example>", [("Park, Jo", "jo@acme.example")]),
        ("jo@acme.example (Jo Park)", [("", "jo@acme.example")]),
        ("A <a@b.example>, C <c@d.example>", [("A", "a@b.example"), ("C", "c@d.example")]),
        ("a@b.example, c@d.example", [("", "a@b.example"), ("", "c@d.example")]),
        ("<mailto:jo@acme.example>", [("", "jo@acme.example")]),
        ("<@relay.example:jo@acme.example>", [("", "jo@acme.example")]),
        ("Jörg <jörg@acme.example>", [("Jörg", "jörg@acme.example")]),
        ('"jo park"@acme.example', [("", '"jo park"@acme.example')]),
        ("jo+crm@acme.example", [("", "jo+crm@acme.example")]),
        ("kim@acme.example <mallory@evil.example>", [("kim@acme.example", "mallory@evil.example")]),
        ('"<kim@acme.example>" <mallory@evil.example>', [("<kim@acme.example>", "mallory@evil.example")]),
        ("(<kim@acme.example>) mallory@evil.example", [("", "mallory@evil.example")]),
        ("=?utf-8?Q?=3Ckim=40acme.example=3E?= <mallory@evil.example>", None),
        ("<=?utf-8?Q?kim=40acme.example?=>", []),
        ("undisclosed-recipients:;", []),
        ("jo", []),
    ],
)
def test_a_header_lists_addresses_and_no_name_is_one(
    header: str, listed: list[tuple[str, str]] | None
) -> None:
    found = mailboxes(header)
    assert (
        found == listed
        if listed is not None
        else [address for _, address in found] == ["mallory@evil.example"]
    )


_NAME = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=30)


@given(_NAME)
def test_no_display_name_takes_the_place_of_the_address(name: str) -> None:
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    (found,) = mailboxes(f'"{quoted}" <jo@acme.example>')
    assert found[1] == "jo@acme.example"
    assert found[0] == name


@given(st.text(max_size=100))
def test_any_header_lists_addresses_alone(header: str) -> None:
    assert all(
        "@" in address and not set(address[address.rfind("@") :]) & set("<>, \t")
        for _, address in mailboxes(header)
    )


@pytest.mark.timeout(10)
@pytest.mark.parametrize("unit", ["(", '"', "<", "@", "<@", '"\\', "a@", '"a"@', "\\"])
def test_a_header_that_is_written_to_hurt_is_read_in_time(unit: str) -> None:
    mailboxes(unit * 100_000)


@pytest.mark.parametrize("written", ["Info@MÜNCHEN.example", "info@xn--mnchen-3ya.example"])
def test_an_address_is_looked_up_in_both_its_spellings(written: str) -> None:
    assert {"info@münchen.example", "info@xn--mnchen-3ya.example"} <= set(spellings(written))
