"""Which events start a playbook: by when they happened, whatever the order in which they come."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import UUID

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from activity.event import RecordedEvent
from db.playbooks.playbooks import Enabled
from db.playbooks.starts import StartKey
from producers.playbooks.definition.program import Program, build
from producers.playbooks.matching import Gate, Index, Play, TriggerMatch, matches, moment, spans

NOW = datetime(2026, 3, 1, tzinfo=UTC)
COOLDOWN = timedelta(days=7)
STEPS = "steps:\n  - {do: add_note, text: x}\n"
HOURS = st.lists(st.integers(-24 * 60, 24 * 60), min_size=1, max_size=12)


def play(head: str = "once_per: account\ncooldown: 7d", age: str = "any") -> Play:
    return Play(Enabled(1, 1, 0), program(head, age))


def program(head: str, age: str) -> Program:
    return build(f"name: P\ntrigger: {{event: signal.detected, max_age: {age}}}\n{head}\n{STEPS}")


def event(hours: int, seq: int = 1) -> RecordedEvent:
    """Return an event that happened so many hours after NOW, when it is recorded."""
    return RecordedEvent(
        tenant_id=1,
        seq=seq,
        event_id=UUID(int=seq),
        type="signal.detected",
        version=1,
        occurred_at=NOW + timedelta(hours=hours),
        recorded_at=NOW,
        actor="system",
        source="api",
        account_id="acme",
        payload=msgspec.Raw(b"{}"),
    )


def started(hours: Sequence[int], page: int, of: Play) -> tuple[list[datetime], list[datetime]]:
    """Return the moments that start a play and those that do not, judged a page after the other."""
    kept: dict[StartKey, list[datetime]] = {}
    starts: list[datetime] = []
    refused: list[datetime] = []
    every = [TriggerMatch(of, event(at, seq), {"account": "acme"}) for seq, at in enumerate(hours, 1)]
    for first in range(0, len(every), page):
        found = every[first : first + page]
        within = {
            key: sorted(at for at in kept.get(key, ()) if span.after < at < span.before)
            for key, span in spans(found).items()
        }
        gate = Gate(within)
        for match in found:
            (refused if gate.refusal(match) else starts).append(moment(match.event))
        for key, at in gate.admitted:
            kept.setdefault(key, []).append(at)
    return starts, refused


@given(HOURS, st.integers(1, 5))
def test_no_two_starts_are_within_the_cooldown_and_none_is_refused_without_one(
    hours: list[int], page: int
) -> None:
    starts, refused = started(hours, page, play())
    ordered = sorted(starts)
    assert all(later - before >= COOLDOWN for before, later in pairwise(ordered))
    assert all(any(abs(at - start) < COOLDOWN for start in starts) for at in refused)


@given(st.data(), st.integers(1, 5))
def test_any_order_of_arrival_gives_the_same_starts(data: st.DataObject, page: int) -> None:
    """Visits of a day each, weeks apart: one start a visit, whichever of its events comes first."""
    visits = data.draw(st.lists(st.integers(-10, 0), min_size=1, max_size=4, unique=True))
    hours = [
        week * 24 * 14 - hour
        for week in visits
        for hour in data.draw(st.lists(st.integers(0, 23), min_size=1, max_size=3))
    ]
    starts, _ = started(data.draw(st.permutations(hours)), page, play())
    assert len(starts) == len(visits)
    once, _ = started(data.draw(st.permutations(hours)), page, play("once_per: account"))
    assert len(once) == 1


def test_what_is_dated_ahead_happened_when_it_was_recorded() -> None:
    starts, _ = started([30 * 24, 0, 60 * 24], 1, play())
    assert starts == [NOW]


def test_history_starts_nothing_unless_the_playbook_says_so() -> None:
    ages = {"": 1, "max_age: any": 3, "max_age: 30d": 2, "max_age: 1h": 1}
    for age, count in ages.items():
        text = f"name: P\ntrigger:\n  event: signal.detected\n  {age}\n{STEPS}"
        index = Index([Play(Enabled(1, 1, 0), build(text))])
        events = [event(-hours, seq) for seq, hours in enumerate((0, 24 * 8, 24 * 400), 1)]
        assert len(matches(index, events, lambda kind, ids: {})) == count
