"""The words of a text: the same however it is written down, and where they stand in it."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from activity.reading.words import excerpt, places, texts, words

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)


@given(TEXT)
def test_a_text_has_the_same_words_in_every_form_and_case(text: str) -> None:
    composed = unicodedata.normalize("NFC", text)
    taken_apart = unicodedata.normalize("NFC", unicodedata.normalize("NFD", text))
    assert places([composed]) == places([taken_apart])
    if text.isascii():
        assert places([text.upper()]) == places([text.lower()])


@given(TEXT)
def test_every_word_stands_where_it_says_and_holds_nothing_that_queries_are_made_of(text: str) -> None:
    end = 0
    for word in words(text):
        assert 0 <= word.start < word.end <= len(text)
        assert word.start + 1 >= end - 1
        end = word.end
        assert not set(word.text) & set("'\\=&|!<>():* \0")
        assert 0 < len(word.text) <= 40


@given(TEXT)
def test_an_excerpt_is_a_piece_of_the_text(text: str) -> None:
    for word in list(words(text))[:3]:
        parts = excerpt([text], frozenset({word.text}), None)
        shown = "".join(piece for part in parts for piece in part.values())
        assert shown.strip("…") in text or "…" in text
        assert any("m" in part for part in parts)


def test_an_event_is_found_by_what_people_wrote_and_not_by_what_repeats_it() -> None:
    assert texts("email.sent", {"subject": "Terms", "message_id": "<7c1f@mail>"}) == ["Terms"]
    assert texts("email.opened", {"subject": "Terms"}) == []
    assert texts("acme.seen", {"anything": "Terms", "number": 3}) == ["Terms"]
