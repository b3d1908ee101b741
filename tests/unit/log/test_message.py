"""A message on pub/sub is believed for its tag alone."""

from hypothesis import given
from hypothesis import strategies as st

from activity.message import channel, opened, signed

KEYS = st.binary(min_size=32, max_size=32)
OURS = channel("prod", 7)


@given(KEYS, st.text())
def test_what_was_signed_is_opened(key: bytes, body: str) -> None:
    text = body.encode("utf-8", "replace").decode()
    assert opened([key], OURS, signed(key, OURS, text)) == text.encode()


@given(KEYS, KEYS, st.text(alphabet="abc{}"))
def test_while_a_key_is_changed_both_are_believed_and_no_third(old: bytes, new: bytes, body: str) -> None:
    data = signed(old, OURS, body)
    assert opened([new, old], OURS, data) == body.encode()
    assert (opened([new], OURS, data) is None) == (old != new)


@given(KEYS, st.sampled_from([channel("prod", 8), channel("staging", 7), channel("prod", 77), "activity:7"]))
def test_a_message_does_not_pass_on_another_channel(key: bytes, other: str) -> None:
    assert opened([key], other, signed(key, OURS, "{}")) is None


@given(KEYS, st.binary(max_size=200))
def test_whatever_others_publish_is_not_opened(key: bytes, data: bytes) -> None:
    assert opened([key], OURS, data) is None


@given(KEYS, st.integers(0, 70), st.integers(1, 255))
def test_a_changed_byte_is_noticed(key: bytes, place: int, change: int) -> None:
    data = bytearray(signed(key, OURS, '{"a":1}'))
    data[place] ^= change
    assert opened([key], OURS, bytes(data)) is None
