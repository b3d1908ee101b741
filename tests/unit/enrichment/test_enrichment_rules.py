"""What the pure rules of enrichment promise: values, waterfall, merging, e-mail domains, configuration."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.enrichment.calls.values import InvalidValue, checked
from producers.enrichment.configuration import FieldConfig, load
from producers.enrichment.outcome.merge import MergeDecision, StoredValue, decide
from producers.enrichment.providers.domain import company_domain
from producers.enrichment.providers.template import Template, in_header, in_url
from producers.enrichment.waterfall import Offer, ProviderCall, next_call
from producers.signals.configuration import InvalidConfiguration

NOW = datetime(2026, 3, 1, tzinfo=UTC)
AGE = timedelta(days=30)
values = st.one_of(
    st.booleans(), st.integers(-5, 5), st.text(max_size=3), st.lists(st.text(max_size=2), max_size=2)
)
moments = st.integers(-60, 60).map(lambda days: NOW + timedelta(days=days))
offers = st.builds(
    Offer, values, st.sampled_from([0.5, 0.7, 0.9]), st.just("orbit"), st.just(Decimal(0)), moments
)
knowns = st.builds(StoredValue, values, st.just("lumen"), st.sampled_from([0.5, 0.7, 0.9]), moments)


def offer(value: Any, confidence: float = 0.8, days: int = 0) -> Offer:
    return Offer(value, confidence, "orbit", Decimal(0), NOW + timedelta(days=days))


def known(value: Any, confidence: float = 0.8) -> StoredValue:
    return StoredValue(value, "lumen", confidence, NOW)


@given(values, offers)
def test_a_value_without_provenance_is_a_persons_and_is_never_overwritten(
    current: Any, offered: Offer
) -> None:
    assert decide(current, None, offered, AGE) is MergeDecision.KEEP_PERSON


@given(values, knowns, offers)
def test_a_value_that_a_person_changed_since_is_never_overwritten(
    current: Any, source: StoredValue, offered: Offer
) -> None:
    if current != source.value or isinstance(current, bool) != isinstance(source.value, bool):
        assert decide(current, source, offered, AGE) is MergeDecision.KEEP_PERSON


@given(knowns, offers)
def test_a_providers_value_is_replaced_by_a_surer_or_a_newer_one_alone(
    source: StoredValue, offered: Offer
) -> None:
    decision = decide(source.value, source, offered, AGE)
    if decision is not MergeDecision.KEEP_BETTER:
        assert offered.confidence > source.confidence or offered.obtained_at > source.obtained_at
    else:
        assert offered.confidence <= source.confidence


@given(knowns, offers)
def test_an_offer_that_was_stored_is_not_stored_again(source: StoredValue, offered: Offer) -> None:
    if decide(source.value, source, offered, AGE) is not MergeDecision.KEEP_BETTER:
        stored = StoredValue(offered.value, offered.provider, offered.confidence, offered.obtained_at)
        assert decide(offered.value, stored, offered, AGE) is MergeDecision.KEEP_BETTER


def test_the_merge_rules_in_examples() -> None:
    assert decide(None, None, offer("x"), AGE) is MergeDecision.SET
    assert decide("old", known("old", 0.7), offer("new", 0.9, -5), AGE) is MergeDecision.SET
    assert decide("old", known("old", 0.9), offer("new", 0.7, 29), AGE) is MergeDecision.KEEP_BETTER
    assert decide("old", known("old", 0.9), offer("new", 0.7, 31), AGE) is MergeDecision.SET
    assert decide("old", known("old"), offer("old", days=1), AGE) is MergeDecision.CONFIRM
    assert decide(1, known(1), offer(True, days=1), AGE) is MergeDecision.SET


FIELDS = {
    "industry": FieldConfig(providers=("table", "orbit", "lumen")),
    "size": FieldConfig(providers=("orbit",)),
    "hq": FieldConfig(providers=("lumen",)),
}


def test_each_provider_is_asked_once_for_all_that_is_still_open() -> None:
    assert next_call(FIELDS, [], []) == ProviderCall("table", ("industry",))
    assert next_call(FIELDS, ["table"], []) == ProviderCall("orbit", ("industry", "size"))
    assert next_call(FIELDS, ["table", "orbit"], ["industry"]) == ProviderCall("lumen", ("hq",))
    assert next_call(FIELDS, ["table", "orbit", "lumen"], []) is None
    assert next_call(FIELDS, [], FIELDS) is None


@given(st.sets(st.sampled_from(["table", "orbit", "lumen"])), st.sets(st.sampled_from(sorted(FIELDS))))
def test_a_waterfall_ends(tried: set[str], settled: set[str]) -> None:
    for _ in range(4):
        call = next_call(FIELDS, tried, settled)
        if call is None:
            return
        assert call.provider not in tried
        assert not set(call.fields) & settled
        tried = tried | {call.provider}
    pytest.fail("more calls than providers")


@pytest.mark.parametrize(
    ("type_", "offered", "stored"),
    [
        ("text", " Acme ", "Acme"),
        ("integer", 12.0, 12),
        ("number", 1.5, 1.5),
        ("boolean", False, False),
        ("list", ["b", "a", "b"], ["a", "b"]),
        ("url", "https://a.example/x", "https://a.example/x"),
        ("text", "", None),
        ("list", [], None),
        ("integer", None, None),
    ],
)
def test_a_value_is_stored_in_the_type_of_its_field(type_: str, offered: Any, stored: Any) -> None:
    assert checked(type_, offered) == stored


@pytest.mark.parametrize(
    ("type_", "offered"),
    [
        ("text", 5),
        ("text", "x" * 1001),
        ("text", "a\x00b"),
        ("text", "\ud800"),
        ("integer", "many"),
        ("integer", 1.5),
        ("integer", True),
        ("number", float("inf")),
        ("number", 1e16),
        ("boolean", "yes"),
        ("list", "a"),
        ("list", ["x"] * 51),
        ("list", [1]),
        ("url", "javascript:x"),
    ],
)
def test_a_value_of_another_type_is_refused(type_: str, offered: Any) -> None:
    with pytest.raises(InvalidValue, match="expected"):
        checked(type_, offered)


@pytest.mark.parametrize(
    ("email", "domain"),
    [
        ("jo@acme.example", "acme.example"),
        ("jo@mail.acme.co.uk", "acme.co.uk"),
        ("jo@gmail.com", None),
        ("jo@co.uk", None),
        ("jo@", None),
        ("Jo@ACME.De.", "acme.de"),
        ("jo@bücher.de", "xn--bcher-kva.de"),
        ("jo@yahoo.co.uk", None),
    ],
)
def test_an_address_names_a_company_unless_its_domain_is_public(email: str, domain: str | None) -> None:
    assert company_domain(email) == domain


def test_a_value_cannot_leave_its_place_in_a_request() -> None:
    hostile = "a/../b?x=1&y=2#z\r\nX-Evil: 1 ü"
    assert set("/?&#\r\n ") & set(Template("{domain}").fill({"domain": hostile}, in_url)) == set()
    assert set("\r\n") & set(Template("{domain}").fill({"domain": hostile}, in_header)) == set()


def test_a_secret_that_the_environment_lacks_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ORBIT_KEY", raising=False)
    with pytest.raises(ValueError, match="ORBIT_KEY"):
        Template("Bearer {env:ORBIT_KEY}")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[fields.account]\nindustry = {providers = ['orbit']}", "names the provider 'orbit'"),
        ("[providers.x]\nuses = 'dns'\ntimeout_s = 500", "providers.x.timeout_s"),
        ("[providers.x]\nuse = 'dns'", "providers.x.use"),
        ("[[signals]]\nrule = 'a'\nsignal = 'b'", "either field or events"),
        ("what", "Expected"),
    ],
)
def test_a_fault_of_the_configuration_names_its_place(tmp_path: Path, text: str, fault: str) -> None:
    path = tmp_path / "enrichment.toml"
    path.write_text(text)
    with pytest.raises(InvalidConfiguration) as invalid:
        load(path)
    assert str(path) in str(invalid.value)
    assert fault in str(invalid.value)
