"""What texts and values of steps are: numbers stay numbers, and texts read as a person would write them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.playbooks.definition.conditions import TextTemplate, language, shown


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (True, "true"),
        (87, "87"),
        (87.0, "87"),
        (12.5, "12.5"),
        (1234567.8, "1234567.8"),
        (1e300, "1e+300"),
        (["a", "b"], "a, b"),
        ({"k": 1, "l": [2, None]}, "k: 1, l: 2, "),
        (timedelta(seconds=4, microseconds=4_294), "0:00:04"),
        (datetime(2026, 3, 1, 8, 30, 5, 123456, UTC), "2026-03-01T08:30:05+00:00"),
    ],
)
def test_a_value_in_a_text_reads_as_a_person_would_write_it(value: Any, text: str) -> None:
    assert shown(value) == text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{{ 87 }}", 87),
        ("{{ 1.5 * 2.0 }}", 3.0),
        ("{{ 1 < 2 }}", True),
        ("{{ 'a' }}", "a"),
        ("{{ [1, 2] }}", "1, 2"),
        ("{{ 87 }} points", "87 points"),
        ("{{ 1 }}{{ 2 }}", "12"),
        ("none", "none"),
    ],
)
def test_one_expression_alone_keeps_its_type(text: str, value: Any) -> None:
    found = TextTemplate(text, language(())).value({})
    assert (found, type(found)) == (value, type(value))


@given(st.text().filter(lambda text: "{{" not in text))
def test_a_text_without_expressions_is_itself(text: str) -> None:
    template = TextTemplate(text, language(()))
    assert template.value({}) == template.fill({}) == text
