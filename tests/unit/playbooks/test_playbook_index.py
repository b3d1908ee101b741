"""The index of playbooks finds those that looking at each of them would find, in their order."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from uuid import UUID

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from activity.event import RecordedEvent
from db.playbooks.playbooks import Enabled
from producers.playbooks.definition.program import Program, build
from producers.playbooks.facts import Record, facts_of
from producers.playbooks.matching import Index, Play, matches

NOW = datetime(2026, 3, 1, tzinfo=UTC)
TRIGGERS = ("signal.detected", "signal.*", "[signal.detected, note.added]", "'*'")
CONDITIONS = (
    'event.payload.signal == "demo"',
    'event.payload.signal == "pricing" && event.payload.score > 3',
    'event.payload.signal == "demo" && account.fields.tier == "gold"',
    'event.payload.signal == "demo" || event.payload.score > 3',
    'event.payload.signal == "demo" ? true : event.payload.score > 3',
    'event.actor == "ana@example.com"',
    'event.actor == "ana@example.com" && account.name.startsWith("A")',
    "event.payload.score > 3",
    'account.fields.tier == "gold"',
    'event.contact_id == ""',
)
TIERS: Mapping[str, Record] = {
    "a": {"id": "a", "name": "Acme", "fields": {"tier": "gold"}},
    "b": {"id": "b", "name": "Borealis", "fields": {}},
}
BUILT: dict[tuple[str, tuple[str, ...]], Program] = {}
PLAYS = st.lists(
    st.tuples(
        st.sampled_from(TRIGGERS),
        st.lists(st.sampled_from(CONDITIONS), max_size=3, unique=True).map(tuple),
        st.integers(0, 12),  # the number after which its events count
    ),
    min_size=1,
    max_size=25,
)


def load(kind: str, ids: Iterable[str]) -> Mapping[str, Record]:
    return {id: TIERS[id] for id in ids if kind == "account" and id in TIERS}


def play(number: int, trigger: str, conditions: tuple[str, ...], after: int) -> Play:
    """Return an enabled playbook; each definition is built once."""
    if (trigger, conditions) not in BUILT:
        given_ = "".join(f"\n  - {msgspec.json.encode(text).decode()}" for text in conditions)
        head = f"name: P\ntrigger: {{event: {trigger}, max_age: any}}\n"
        said = f"{head}conditions:{given_ or ' []'}\nsteps:\n  - {{do: add_note, text: x}}\n"
        BUILT[trigger, conditions] = build(said)
    return Play(Enabled(number, 1, after), BUILT[trigger, conditions])


@st.composite
def events(draw: st.DrawFn) -> list[RecordedEvent]:
    visits = st.fixed_dictionaries(
        {}, optional={"signal": st.sampled_from(["demo", "pricing", 7, None]), "score": st.integers(1, 5)}
    )
    payloads = {"signal.detected": visits, "note.added": st.just({"text": "demo"})}
    types = draw(st.lists(st.sampled_from(sorted(payloads)), min_size=1, max_size=12))
    return [
        RecordedEvent(
            tenant_id=1,
            seq=seq,
            event_id=UUID(int=seq),
            type=type,
            version=1,
            occurred_at=NOW,
            recorded_at=NOW,
            actor=draw(st.sampled_from(["ana@example.com", "system"])),
            source="api",
            account_id=draw(st.sampled_from(["a", "b", "unknown"])),
            payload=msgspec.Raw(msgspec.json.encode(draw(payloads[type]))),
        )
        for seq, type in enumerate(types, 1)
    ]


def fits(one: Play, event: RecordedEvent) -> bool:
    """Return whether a playbook starts at an event, by looking at each of its conditions."""
    triggered = Index([one]).of(event.type) is not None and event.seq > one.enabled.after_seq
    facts = facts_of({"account": event.account_id or ""}, None, event, load)
    return triggered and all(condition.holds(facts) for condition in one.program.conditions)


@given(PLAYS, events())
def test_the_index_finds_what_looking_at_each_playbook_finds(
    definitions: list[tuple[str, tuple[str, ...], int]], happened: list[RecordedEvent]
) -> None:
    plays = [play(number, *definition) for number, definition in enumerate(definitions, 1)]
    found = [(match.event.seq, match.play.enabled.id) for match in matches(Index(plays), happened, load)]
    assert found == [(event.seq, one.enabled.id) for event in happened for one in plays if fits(one, event)]
