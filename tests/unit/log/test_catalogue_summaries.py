"""The sentences: the golden file holds payloads as they were stored and the words they were shown with.

Its lines never change.
"""

import itertools
import json
import locale as process_locale
import re
from decimal import ROUND_UP, localcontext
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from activity.catalogue import CATALOGUE, VERSIONS, EventType, summarise, summary_parts
from activity.catalogue.reference import json_schema
from activity.catalogue.summary import LANGUAGES

GOLDEN = json.loads((Path(__file__).parents[1] / "summaries/golden.json").read_text(encoding="utf-8"))
LOCALES = sorted(LANGUAGES)

each_type = pytest.mark.parametrize(
    "known", VERSIONS.values(), ids=lambda known: f"{known.name}@{known.version}"
)
each_locale = pytest.mark.parametrize("locale", LOCALES)


@each_locale
def test_every_stored_event_reads_as_it_always_did(locale: str) -> None:
    read = [
        (case["type"], summarise(case["type"], case["version"], case["payload"], locale)) for case in GOLDEN
    ]
    assert read == [(case["type"], case[locale]) for case in GOLDEN]


@each_type
def test_the_golden_file_holds_the_example_of_every_type(known: EventType) -> None:
    line = {"type": known.name, "version": known.version, "payload": known.example}
    line |= {locale: summarise(known.name, known.version, known.example, locale) for locale in ("en", "de")}
    assert line in GOLDEN, f"add to summaries/golden.json: {json.dumps(line, ensure_ascii=False)}"


@each_locale
@each_type
def test_a_type_has_a_sentence_and_a_title_in_every_language(known: EventType, locale: str) -> None:
    assert LANGUAGES[locale].sentences[known.version].keys() == {
        name for name, version in VERSIONS if version == known.version
    }
    assert locale == "en" or known.name in LANGUAGES[locale].titles


@each_type
def test_languages_tell_the_same_values(known: EventType) -> None:
    told = [
        set(re.findall(r"\{(\w+)", language.sentences[known.version][known.name]))
        for language in LANGUAGES.values()
    ]
    assert all(fields == told[0] for fields in told)
    assert told[0] <= {field.name for field in msgspec.structs.fields(known.payload)}


@each_locale
@each_type
def test_a_sentence_is_well_formed_whichever_optional_values_are_absent(
    known: EventType, locale: str
) -> None:
    required = set(json_schema(known.name).get("required", []))
    told = set(re.findall(r"\{(\w+)", LANGUAGES[locale].sentences[known.version][known.name]))
    optional = sorted(told & set(known.example) - required)
    for absent in itertools.chain.from_iterable(
        itertools.combinations(optional, n) for n in range(len(optional) + 1)
    ):
        sentence = summarise(
            known.name, known.version, {k: v for k, v in known.example.items() if k not in absent}, locale
        )
        assert re.match("[a-zäöü]", sentence), sentence
        assert not re.search(r"  |^\s|[\s:,(]$|\(\)|“”|„“|None|True|False|[{}\[\]|]|: :|\( ", sentence), (
            sentence
        )


@pytest.mark.parametrize(
    ("type", "payload", "sentence"),
    [
        (
            "deal.stage_changed",
            {"name": "Acme renewal", "from_stage": "Proposal", "to_stage": "Negotiation"},
            "moved Acme renewal from Proposal to Negotiation",
        ),
        (
            "deal.stage_changed",
            {"from_stage": "Proposal", "to_stage": "Negotiation"},
            "moved from Proposal to Negotiation",
        ),
    ],
)
def test_a_stage_change_reads_as_specified(type: str, payload: dict[str, str], sentence: str) -> None:
    assert summarise(type, 1, payload) == sentence


def test_parts_tell_text_from_values() -> None:
    payload = {"name": "Acme", "from_stage": "Proposal", "to_stage": "Won it"}
    assert summary_parts("deal.stage_changed", 1, payload) == [
        {"t": "moved "},
        {"v": "Acme"},
        {"t": " from "},
        {"v": "Proposal"},
        {"t": " to "},
        {"v": "Won it"},
    ]


def test_a_payload_that_looks_like_a_template_is_shown_as_it_is() -> None:
    assert summarise("deal.stage_changed", 1, {"to_stage": "{name} || [a|b]"}) == "moved to {name} || [a|b]"


def test_a_value_can_neither_turn_the_text_around_nor_break_the_line() -> None:
    assert summarise("deal.stage_changed", 1, {"to_stage": "a\u202eb\r\nc\u2066\ud800"}) == "moved to ab c"


def test_a_links_query_is_not_shown() -> None:
    assert (
        summarise("email.clicked", 1, {"url": "https://a.example/x?token=s3cret#f"}) == "clicked a.example/x"
    )


@pytest.mark.parametrize("due_at", ["0001-01-01T00:00:00+01:00", "9999-12-31T23:59:00-01:00"])
def test_a_moment_that_has_no_utc_is_shown_as_it_was_said(due_at: str) -> None:
    assert (
        summarise("task.created", 1, {"title": "Call", "due_at": due_at})
        == f"created the task “Call”, due {due_at}"
    )


@pytest.mark.parametrize(
    ("locale", "recorded", "erased", "title"),
    [
        ("en", "recorded acme.thing", "Deal won: content erased", "Deal won"),
        ("de", "hat acme.thing aufgezeichnet", "Deal gewonnen: Inhalt gelöscht", "Deal gewonnen"),
    ],
)
def test_an_event_that_has_no_sentence_is_named(locale: str, recorded: str, erased: str, title: str) -> None:
    assert summarise("acme.thing", 1, {"a": 1}, locale) == recorded
    assert summarise("acme.thing", 1, None, locale) == recorded
    for payload in (None, b"null", msgspec.Raw(b"null")):
        assert summarise("deal.won", 1, payload, locale) == erased
    for unfit in (
        {"amount": "much"},
        b"{",
        b"\xff",
        b'{"name":"\xff"}',
        b"[]",
        b"{}" * 2,
        b'{"x":' + b"[" * 99_999,
    ):
        assert summarise("deal.won", 1, unfit, locale) == title
    assert summarise("deal.won", 99, {"name": "Acme"}, locale) == title


@pytest.mark.parametrize("locale", ["fr", "", "deutsch", "d", "xx-YY"])
def test_an_unknown_locale_reads_english(locale: str) -> None:
    assert summarise("deal.won", 1, {"amount": 1054}, locale) == "won a deal for 1,054.00"


@pytest.mark.parametrize("locale", ["de", "DE", "de-AT", "de_CH"])
def test_a_region_reads_its_language(locale: str) -> None:
    assert summarise("deal.won", 1, {"amount": 1054}, locale) == "hat einen Deal über 1.054,00 gewonnen"


@each_type
def test_stored_bytes_read_as_the_mapping_does(known: EventType) -> None:
    body = msgspec.json.encode(known.example)
    assert (
        summarise(known.name, 1, body)
        == summarise(known.name, 1, msgspec.Raw(body))
        == summarise(known.name, 1, known.example)
    )


def test_neither_the_process_locale_nor_the_decimal_context_changes_a_sentence() -> None:
    payload = {"amount": "123456789012345.0012345"[:22], "currency": "EUR"}
    before = summarise("deal.won", 1, payload)
    kept = process_locale.setlocale(process_locale.LC_ALL)
    try:
        process_locale.setlocale(process_locale.LC_ALL, "C.UTF-8")
        with localcontext() as context:
            context.prec, context.rounding = 2, ROUND_UP
            assert (
                summarise("deal.won", 1, payload) == before == "won a deal for 123,456,789,012,345.001234 EUR"
            )
    finally:
        process_locale.setlocale(process_locale.LC_ALL, kept)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters())
    | st.text(st.characters(categories=("Cs", "Cc"))),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
FIELDS = sorted(
    {field.encode_name for known in VERSIONS.values() for field in msgspec.structs.fields(known.payload)}
)
ANY_PAYLOAD = st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=8) | JSON


@st.composite
def events(draw: st.DrawFn) -> tuple[str, Any]:
    """A type with its example spoilt or completed by any values."""
    name = draw(st.sampled_from(sorted(CATALOGUE)) | st.text(max_size=20))
    payload = draw(ANY_PAYLOAD)
    if name in CATALOGUE and isinstance(payload, dict) and draw(st.booleans()):
        return name, {**CATALOGUE[name].example, **payload}
    return name, payload


@given(
    event=events(), version=st.integers(0, 3), locale=st.sampled_from([*LOCALES, "fr"]) | st.text(max_size=5)
)
def test_a_summary_never_raises_and_is_the_same_each_time(
    event: tuple[str, Any], version: int, locale: str
) -> None:
    name, payload = event
    sentence = summarise(name, version, payload, locale)
    assert sentence == summarise(name, version, payload, locale)
    assert "\n" not in sentence
    assert sentence == sentence.encode().decode()  # a lone surrogate could not be sent


@given(name=st.sampled_from(sorted(CATALOGUE)), data=st.data(), locale=st.sampled_from(LOCALES))
def test_any_text_may_stand_in_for_a_name(name: str, data: st.DataObject, locale: str) -> None:
    example = CATALOGUE[name].example
    texts = data.draw(
        st.fixed_dictionaries(
            {field: st.text() for field, value in example.items() if isinstance(value, str)}
        )
    )
    sentence = summarise(name, 1, {**example, **texts}, locale)
    assert sentence == "".join(
        text for part in summary_parts(name, 1, {**example, **texts}, locale) for text in part.values()
    )
    assert sentence.strip(" ")


@given(body=st.binary(max_size=60), name=st.sampled_from(sorted(CATALOGUE)))
def test_any_bytes_have_a_summary(body: bytes, name: str) -> None:
    assert summarise(name, 1, body)
