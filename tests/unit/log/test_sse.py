"""The reader of server-sent events does what the standard says."""

from typing import Any

import pytest

from tests import vectors
from tests.sse import SseReader

VECTORS: list[dict[str, Any]] = [
    *vectors.own("sse.json")["vectors"],
    *vectors.foreign("conformance/sse/sse_vectors.json", {"vectors": []})["vectors"],
]


def _frames(chunks: list[bytes]) -> list[dict[str, str]]:
    reader = SseReader()
    return [
        {"type": frame.name, "data": frame.data, "id": frame.id}
        for chunk in chunks
        for frame in reader.feed(chunk)
    ]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_a_stream_means_what_the_standard_says_however_it_is_cut(vector: dict[str, Any]) -> None:
    chunks = [chunk.encode() for chunk in vector["chunks"]]
    whole = b"".join(chunks)
    for cut in (
        chunks,
        [whole],
        [whole[n : n + 1] for n in range(len(whole))],
        [whole[n : n + 2] for n in range(0, len(whole), 2)],
    ):
        assert _frames(cut) == vector["events"]


def test_a_retry_is_noted_and_a_byte_order_mark_is_none_of_the_data() -> None:
    reader = SseReader()
    assert [frame.data for frame in reader.feed(b"\xef\xbb\xbfretry: 250\nretry: x\ndata: a\n\n")] == ["a"]
    assert reader.retry_ms == 250
