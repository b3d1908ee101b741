"""What a sending domain lacks is told before its mail is taken for spam."""

from collections.abc import Iterator, Mapping
from typing import Any

import dns.resolver
import dns.rrset
import pytest

from activity.settings import settings
from producers.sequences.rehearsal import check_domain
from producers.sequences.rehearsal.domain import DomainUnknown

GOOD = {
    ("v.example", "TXT"): ['"v=spf1 include:relay.example -all"', '"other"'],
    ("_dmarc.v.example", "TXT"): ['"v=DMARC1; p=none"'],
    ("s1._domainkey.v.example", "TXT"): ['"v=DKIM1; k=rsa; " "p=MIIB"'],
    ("mail.v.example", "A"): ["192.0.2.7"],
    ("7.2.0.192.in-addr.arpa.", "PTR"): ["mail.v.example."],
}


class Zone(dns.resolver.Resolver):
    """A resolver that knows a few names, and never asks."""

    def __init__(self, known: Mapping[tuple[str, str], list[str]], *, away: bool = False) -> None:
        super().__init__(configure=False)
        self._known, self._away = known, away

    def resolve(self, qname: Any, rdtype: Any = "A", *_: Any, **__: Any) -> Any:
        if self._away:
            raise dns.resolver.NoNameservers
        if (found := self._known.get((str(qname), rdtype))) is None:
            raise dns.resolver.NXDOMAIN
        return dns.rrset.from_text("x.example.", 60, "IN", rdtype, *found)


@pytest.fixture(autouse=True)
def public(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("ACTIVITY_PUBLIC_URL", "https://activity.v.example")
    settings.cache_clear()
    yield
    settings.cache_clear()


def bad(known: Mapping[tuple[str, str], list[str]], address: str = "ana@v.example") -> list[str]:
    found = check_domain(address, "mail.v.example", "s1", Zone(known))
    return [one.what for one in found if not one.good]


def test_a_domain_that_has_everything_is_good() -> None:
    assert bad(GOOD) == []


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({("v.example", "TXT"): ['"other"']}, "SPF"),
        ({("v.example", "TXT"): ['"v=spf1 -all"', '"v=spf1 a -all"']}, "SPF"),
        ({("v.example", "TXT"): ['"v=spf10"']}, "SPF"),
        ({("_dmarc.v.example", "TXT"): ['"v=spf1"']}, "DMARC"),
        ({("s1._domainkey.v.example", "TXT"): ['"v=DKIM1; p="']}, "DKIM"),
        ({("7.2.0.192.in-addr.arpa.", "PTR"): ["elsewhere.example."]}, "PTR"),
    ],
)
def test_what_is_missing_is_named(change: dict[tuple[str, str], list[str]], what: str) -> None:
    assert bad(GOOD | change) == [what]


def test_the_domain_above_may_speak_for_one_without_dmarc() -> None:
    above = {("_dmarc.v.example", "TXT"): ['"v=DMARC1; p=reject"'], ("mail.v.example", "A"): []}
    assert "DMARC" not in bad(above, "ana@news.v.example")


def test_a_name_server_that_is_away_is_not_taken_for_a_missing_record() -> None:
    with pytest.raises(DomainUnknown, match=r"TXT of v\.example could not be looked up"):
        check_domain("ana@v.example", "mail.v.example", None, Zone({}, away=True))


def test_the_public_address_has_to_be_https(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACTIVITY_PUBLIC_URL", "http://127.0.0.1:8000")
    settings.cache_clear()
    assert bad(GOOD) == ["public URL"]
