"""What the pure rules of enrichment promise: values, the waterfall, merging, e-mail domains, the configuration."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.enrichment.calls.values import ValueUnusable, checked
from producers.enrichment.configuration import ConfigurationInvalid, FieldConfig, _load
from producers.enrichment.merge import Known, Verdict, decide
from producers.enrichment.providers.domain import company_domain
from producers.enrichment.providers.template import Template, in_header, in_url
from producers.enrichment.waterfall import Offer, Step, next_step

NOW = datetime(2026, 3, 1, tzinfo=UTC)
AGE = timedelta(days=30)
values = st.one_of(
    st.booleans(), st.integers(-5, 5), st.text(max_size=3), st.lists(st.text(max_size=2), max_size=2)
)
moments = st.integers(-60, 60).map(lambda days: NOW + timedelta(days=days))
offers = st.builds(
    Offer, values, st.sampled_from([0.5, 0.7, 0.9]), st.just("orbit"), st.just(Decimal(0)), moments
)
knowns = st.builds(Known, values, st.just("lumen"), st.sampled_from([0.5, 0.7, 0.9]), moments)


def offer(value: Any, confidence: float = 0.8, days: int = 0) -> Offer:
    return Offer(value, confidence, "orbit", Decimal(0), NOW + timedelta(days=days))


def known(value: Any, confidence: float = 0.8) -> Known:
    return Known(value, "lumen", confidence, NOW)


@given(values, offers)
def test_a_value_without_provenance_is_a_persons_and_is_never_overwritten(current: Any, said: Offer) -> None:
    assert decide(current, None, said, AGE) is Verdict.KEEP_PERSON


@given(values, knowns, offers)
def test_a_value_that_a_person_changed_since_is_never_overwritten(
    current: Any, source: Known, said: Offer
) -> None:
    if current != source.value or isinstance(current, bool) != isinstance(source.value, bool):
        assert decide(current, source, said, AGE) is Verdict.KEEP_PERSON


@given(knowns, offers)
def test_a_providers_value_is_replaced_by_a_surer_or_a_newer_one_alone(source: Known, said: Offer) -> None:
    verdict = decide(source.value, source, said, AGE)
    if verdict is not Verdict.KEEP_BETTER:
        assert said.confidence > source.confidence or said.obtained_at > source.obtained_at
    else:
        assert said.confidence <= source.confidence


@given(knowns, offers)
def test_an_offer_that_was_taken_is_not_taken_again(source: Known, said: Offer) -> None:
    if decide(source.value, source, said, AGE) is not Verdict.KEEP_BETTER:
        taken = Known(said.value, said.provider, said.confidence, said.obtained_at)
        assert decide(said.value, taken, said, AGE) is Verdict.KEEP_BETTER


def test_the_merge_rules_in_examples() -> None:
    assert decide(None, None, offer("x"), AGE) is Verdict.SET
    assert decide("old", known("old", 0.7), offer("new", 0.9, -5), AGE) is Verdict.SET
    assert decide("old", known("old", 0.9), offer("new", 0.7, 29), AGE) is Verdict.KEEP_BETTER
    assert decide("old", known("old", 0.9), offer("new", 0.7, 31), AGE) is Verdict.SET
    assert decide("old", known("old"), offer("old", days=1), AGE) is Verdict.CONFIRM
    assert decide(1, known(1), offer(True, days=1), AGE) is Verdict.SET


FIELDS = {
    "industry": FieldConfig(providers=("table", "orbit", "lumen")),
    "size": FieldConfig(providers=("orbit",)),
    "hq": FieldConfig(providers=("lumen",)),
}


def test_each_provider_is_asked_once_for_all_that_is_still_open() -> None:
    assert next_step(FIELDS, [], []) == Step("table", ("industry",))
    assert next_step(FIELDS, ["table"], []) == Step("orbit", ("industry", "size"))
    assert next_step(FIELDS, ["table", "orbit"], ["industry"]) == Step("lumen", ("hq",))
    assert next_step(FIELDS, ["table", "orbit", "lumen"], []) is None
    assert next_step(FIELDS, [], FIELDS) is None


@given(st.sets(st.sampled_from(["table", "orbit", "lumen"])), st.sets(st.sampled_from(sorted(FIELDS))))
def test_a_waterfall_ends(tried: set[str], settled: set[str]) -> None:
    for _ in range(4):
        step = next_step(FIELDS, tried, settled)
        if step is None:
            return
        assert step.provider not in tried
        assert not set(step.fields) & settled
        tried = tried | {step.provider}
    pytest.fail("more calls than providers")


@pytest.mark.parametrize(
    ("type_", "said", "kept"),
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
def test_a_value_is_kept_in_the_type_of_its_field(type_: str, said: Any, kept: Any) -> None:
    assert checked(type_, said) == kept


@pytest.mark.parametrize(
    ("type_", "said"),
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
def test_a_value_of_another_type_is_refused(type_: str, said: Any) -> None:
    with pytest.raises(ValueUnusable, match="expected"):
        checked(type_, said)


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
    with pytest.raises(ConfigurationInvalid) as invalid:
        _load(path)
    assert str(path) in str(invalid.value)
    assert fault in str(invalid.value)
