"""One person is one address, however it is spelt, and another owner's is never taken for it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activity.address import InvalidDomain, ascii_domain, canonical


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
