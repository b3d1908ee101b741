"""The canonical text of a payload."""

import math
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from activity.canonical import MAX_DEPTH, canonical
from activity.errors import InvalidEvent

texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)


@given(values)
def test_our_text_is_the_one_of_rfc_8785(value: Any) -> None:
    assert canonical(value) == rfc8785.dumps(value)


@given(st.dictionaries(texts, scalars | st.lists(texts, max_size=3), max_size=8))
def test_the_order_in_which_keys_were_given_does_not_matter(value: dict[str, Any]) -> None:
    assert canonical(dict(reversed(value.items()))) == canonical(value)


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "place", "fault"),
    [
        ({"a": {"b": [1, math.nan]}}, "payload.a.b[1]", "not a JSON number"),
        ({"a": -math.inf}, "payload.a", "not a JSON number"),
        ({"a": 2**53}, "payload.a", "beyond 2^53"),
        ({"a": "x\0y"}, "payload.a", "NUL"),
        ({"x\0": 1}, "payload", "NUL"),
        ({"a": "\ud800"}, "payload", "surrogate"),
        ({"a": "\ud800", "b": 1.5}, "payload", "surrogate"),
        ({"\udfff": 1}, "payload", "surrogate"),
        ({1: 2}, "payload", "not text"),
        ({"a": object()}, "payload.a", "not JSON"),
        ({"a": b"x"}, "payload.a", "not JSON"),
        (nested(MAX_DEPTH + 1), "payload" + "[0]" * MAX_DEPTH, "deep"),
        ({"a": "x" * 65_536}, "payload", "bytes"),
    ],
)
def test_what_the_log_can_not_hold_is_refused_with_its_place(value: Any, place: str, fault: str) -> None:
    with pytest.raises(InvalidEvent) as refused:
        canonical(value)
    assert refused.value.field == place
    assert fault in refused.value.fault


def test_the_deepest_and_the_largest_that_fit_are_taken() -> None:
    assert canonical(nested(MAX_DEPTH))
    assert len(canonical("x" * 65_534)) == 65_536
