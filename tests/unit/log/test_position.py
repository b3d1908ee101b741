"""What a message from pub/sub means to a follower."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activity.event import RecordedEvent
from feed.position import EpochChanged, Message, Position

EPOCH = UUID(int=1)
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def event(seq: int) -> RecordedEvent:
    return RecordedEvent(
        tenant_id=1,
        seq=seq,
        event_id=UUID(int=seq),
        type="note.added",
        version=1,
        occurred_at=NOW,
        recorded_at=NOW,
        actor="system",
        source="test",
    )


def message(first: int, last: int) -> Message:
    return Message(EPOCH, first=first, last=last, events=[event(seq) for seq in range(first, last + 1)])


def seqs(events: Sequence[RecordedEvent] | None) -> list[int] | None:
    return None if events is None else [event.seq for event in events]


def test_what_is_next_is_delivered() -> None:
    position = Position(1, EPOCH, 3)
    assert seqs(position.take(message(4, 6))) == [4, 5, 6]
    assert position.seq == 6


def test_what_overlaps_is_delivered_from_where_it_is_new() -> None:
    assert seqs(Position(1, EPOCH, 5).take(message(4, 6))) == [6]


def test_what_is_known_is_dropped() -> None:
    assert seqs(Position(1, EPOCH, 6).take(message(4, 6))) == []


def test_a_jump_means_read_the_log() -> None:
    position = Position(1, EPOCH, 3)
    assert position.take(message(5, 6)) is None
    assert position.seq == 3


def test_a_head_ahead_means_read_the_log_and_one_reached_means_nothing() -> None:
    position = Position(1, EPOCH, 3)
    assert position.take(Message(EPOCH, head=4)) is None
    assert position.take(Message(EPOCH, head=3)) == []


def test_another_epoch_is_an_error() -> None:
    with pytest.raises(EpochChanged):
        Position(1, EPOCH, 3).take(Message(uuid4(), head=9))


@given(st.lists(st.tuples(st.integers(1, 30), st.integers(0, 5)), max_size=40))
def test_whatever_is_lost_doubled_or_reordered_each_event_is_seen_once_and_in_order(
    messages: list[tuple[int, int]],
) -> None:
    position, seen = Position(1, EPOCH, 0), []
    for first, more in messages:
        taken = position.take(message(first, first + more))
        if taken is None:  # read the log
            taken = [event(seq) for seq in range(position.seq + 1, first + more + 1)]
            position.seq = first + more
        seen += [event.seq for event in taken]
    assert seen == list(range(1, len(seen) + 1))
