"""Which events start which playbooks, and what is refused and why: live, in a dry run and in a backtest."""

from bisect import bisect, insort
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from activity.event import RecordedEvent
from db.playbooks.playbooks import Enabled
from db.playbooks.starts import NO_ANCESTRY, Ancestry, Span, StartKey
from producers.playbooks.definition.conditions import Expression, View
from producers.playbooks.definition.document import names_of
from producers.playbooks.definition.names import Facts, Fetch
from producers.playbooks.definition.program import Program
from producers.playbooks.facts import Load

MAX_CAUSES = 64  # events above one another: a longer chain of causes is a loop, whoever made it
MAX_PLAYS = 8  # playbooks that started one another in turn
_EARLIEST = datetime.min.replace(tzinfo=UTC)
_LATEST = datetime.max.replace(tzinfo=UTC)
MAX_SELF_STARTS = 3  # times a playbook may be among the causes of its own start before it is paused


class Play(NamedTuple):
    """An enabled playbook and its program."""

    enabled: Enabled
    program: Program


class TriggerMatch(NamedTuple):
    """An event that meets a playbook's trigger and conditions."""

    play: Play
    event: RecordedEvent
    subjects: Mapping[str, str]  # account, contact and opportunity, where there is one


class Refusal(NamedTuple):
    """Why a match does not start.

    `guard`: it is a runaway, which is recorded and shown; `pause`: the playbook is paused for it.
    """

    reason: str
    guard: bool = False
    pause: bool = False


class Index:
    """Enabled playbooks by the types of event that may start them."""

    def __init__(self, plays: Iterable[Play]) -> None:
        self._by_name: dict[str, list[Play]] = {}
        for play in plays:
            for name in play.program.events:
                self._by_name.setdefault(name, []).append(play)
        self._by_type: dict[str, OfType | None] = {}

    def of(self, type: str) -> "OfType | None":
        """Return the playbooks that an event of this type may start; None where there are none."""
        if type not in self._by_type:
            plays = {play.enabled.id: play for name in names_of(type) for play in self._by_name.get(name, ())}
            self._by_type[type] = OfType(type, [plays[id] for id in sorted(plays)]) if plays else None
        return self._by_type[type]


class Alike(NamedTuple):
    """Playbooks whose conditions on the event are the same, which are evaluated once for all of them."""

    conditions: tuple[Expression, ...]
    plays: list[Play]

    def hold(self, view: object) -> bool:
        """Return whether an event that a View shows meets the conditions."""
        return all(condition.holds_in(view) for condition in self.conditions)


class OfType:
    """The playbooks of one type of event, found by the equality that their conditions begin with."""

    def __init__(self, type: str, plays: list[Play]) -> None:
        self._view = View(type, (condition for play in plays for condition in play.program.of_event))
        self._rest: list[Alike] = []
        self._tables: dict[str, tuple[Fetch, dict[object, list[Alike]]]] = {}
        for alike in _alike(plays):
            equality = alike.plays[0].program.equality
            if equality is None:
                self._rest.append(alike)
            else:
                _, table = self._tables.setdefault(equality.path, (equality.fetch, {}))
                table.setdefault(equality.text, []).append(alike)

    def met(self, event: RecordedEvent, facts: Facts) -> list[Play]:
        """Return the playbooks whose conditions on the event hold, in the order of their ids.

        Most of the others are not looked at.
        """
        view = None
        found: list[Play] = []
        for alike in self._near(facts):
            if any(_is_due(play, event) for play in alike.plays):
                view = view or self._view.of(facts)
                if alike.hold(view):
                    found += [play for play in alike.plays if _is_due(play, event)]
        return sorted(found) if len(found) > 1 else found

    def _near(self, facts: Facts) -> list[Alike]:
        """Return those whose equality holds, and those that have none."""
        found = list(self._rest)
        for fetch, table in self._tables.values():
            value = fetch(facts)
            if isinstance(value, str):
                found += table.get(value, ())
        return found


def _alike(plays: Iterable[Play]) -> Iterable[Alike]:
    """Return playbooks by their conditions on the event, and by the types that give those their meaning."""
    found: dict[object, Alike] = {}
    for play in plays:
        program = play.program
        key = (
            frozenset(program.events),
            program.equality and program.equality[::2],
            tuple(condition.text for condition in program.of_event),
        )
        found.setdefault(key, Alike(program.of_event, [])).plays.append(play)
    return found.values()


def subjects(event: RecordedEvent, accounts: Mapping[str, str]) -> dict[str, str]:
    """Return what an event is about; `accounts` says which account a contact belongs to."""
    account = event.account_id or accounts.get(event.contact_id or "")
    opportunity = event.record_id if event.record_type == "opportunity" else None
    return {
        kind: id
        for kind, id in (("account", account), ("contact", event.contact_id), ("opportunity", opportunity))
        if id
    }


def matches(index: Index, events: Sequence[RecordedEvent], load: Load) -> list[TriggerMatch]:
    """Return the matches among the events, in their order.

    Records are loaded only for events whose own conditions hold.
    """
    passed: list[tuple[Play, RecordedEvent, dict[str, object]]] = []
    for event in events:
        if plays := index.of(event.type):
            facts: dict[str, object] = {"event": event, "now": event.recorded_at}
            passed += [(play, event, facts) for play in plays.met(event, facts)]
    about = _about([event for _, event, _ in passed], load)
    records = _records(passed, about, load)
    found = []
    for play, event, facts in passed:
        about_event = about[event.event_id]
        facts.update((kind, records[kind].get(id)) for kind, id in about_event.items())
        if all(condition.holds(facts) for condition in play.program.of_records):
            found.append(TriggerMatch(play, event, about_event))
    return found


def _is_due(play: Play, event: RecordedEvent) -> bool:
    age = play.program.max_age
    return event.seq > play.enabled.after_seq and (
        age is None or event.recorded_at - event.occurred_at <= age
    )


def _about(events: Iterable[RecordedEvent], load: Load) -> dict[UUID, dict[str, str]]:
    events = list(events)
    orphans = {event.contact_id for event in events if event.contact_id and not event.account_id}
    accounts = (
        {id: contact["account_id"] for id, contact in load("contact", orphans).items()} if orphans else {}
    )
    return {event.event_id: subjects(event, accounts) for event in events}


def _records(
    passed: Sequence[tuple[Play, RecordedEvent, object]], about: Mapping[UUID, Mapping[str, str]], load: Load
) -> dict[str, Mapping[str, object]]:
    wanted: dict[str, set[str]] = {"account": set(), "contact": set(), "opportunity": set()}
    for play, event, _ in passed:
        for kind in {kind for condition in play.program.of_records for kind in condition.records} & about[
            event.event_id
        ].keys():
            wanted[kind].add(about[event.event_id][kind])
    return {kind: load(kind, ids) if ids else {} for kind, ids in wanted.items()}


@dataclass
class Gate:
    """Once-per rules, cool-downs and loop guards over matches in their order.

    `starts`: when each playbook started for a subject, as far as `near` reaches, the earliest first.
    """

    starts: dict[StartKey, list[datetime]]
    admitted: list[tuple[StartKey, datetime]] = field(default_factory=list)
    ancestry: Mapping[UUID, Ancestry] = field(default_factory=dict)
    paused: set[int] = field(default_factory=set)

    def refusal(self, match: TriggerMatch) -> Refusal | None:
        """Return why a match may not start; None lets it start, and counts it as started."""
        play, event = match.play, match.event
        key = once_key(match)
        if key is None:
            return Refusal(
                f"once_per is {play.program.definition.playbook.once_per}, and the event is about none"
            )
        if play.enabled.id in self.paused:
            return Refusal("the playbook is paused")
        above = self.ancestry.get(event.event_id, NO_ANCESTRY)
        at = moment(event)
        refused = self._too_soon(play.program, key, at) or self._runaway(play, above)
        if refused is None and key[1]:
            insort(self.starts.setdefault(key, []), at)
            self.admitted.append((key, at))
        elif refused and refused.pause:
            self.paused.add(play.enabled.id)
        return refused

    def _too_soon(self, program: Program, key: StartKey, at: datetime) -> Refusal | None:
        starts = self.starts.get(key, []) if key[1] else []
        if program.cooldown is None:
            return Refusal(f"started for {key[1]} before, at {starts[-1].isoformat()}") if starts else None
        place = bisect(starts, at)
        for start in starts[max(place - 1, 0) : place + 1]:
            if abs(at - start) < program.cooldown:
                return Refusal(f"started for {key[1]} at {start.isoformat()}, within the cooldown")
        return None

    def _runaway(self, play: Play, above: Ancestry) -> Refusal | None:
        itself = sum(id == play.enabled.id for id in above.playbooks)
        if itself >= MAX_SELF_STARTS:
            return Refusal(
                f"breaker: the playbook is {itself} times among the causes of its own start", True, True
            )
        if len(above.playbooks) >= MAX_PLAYS:
            return Refusal(f"depth limit: {len(above.playbooks)} playbooks started one another", True)
        return (
            Refusal(f"depth limit: {above.causes} causes above one another", True)
            if above.causes >= MAX_CAUSES
            else None
        )


def moment(event: RecordedEvent) -> datetime:
    """Return when an event happened; what is dated ahead happened when it was recorded."""
    return min(event.occurred_at, event.recorded_at)


def near(cooldown: timedelta | None, first: datetime, last: datetime) -> Span:
    """Return between which moments earlier starts matter to starts from `first` to `last`.

    Without a cooldown all of them do.
    """
    return Span(_EARLIEST, _LATEST) if cooldown is None else Span(first - cooldown, last + cooldown)


def spans(found: Iterable[TriggerMatch]) -> dict[StartKey, Span]:
    """Return for what each match may start once, with the time in which earlier starts matter."""
    moments: dict[StartKey, list[datetime]] = {}
    cooldowns: dict[int, timedelta | None] = {}
    for match in found:
        if (key := once_key(match)) and key[1]:
            moments.setdefault(key, []).append(moment(match.event))
            cooldowns[key[0]] = match.play.program.cooldown
    return {key: near(cooldowns[key[0]], min(at), max(at)) for key, at in moments.items()}


def once_key(match: TriggerMatch) -> StartKey | None:
    """Return what a match may start once for; "" for every event.

    None where the event is not about such a record.
    """
    once_per = match.play.program.definition.playbook.once_per
    if once_per == "event":
        return match.play.enabled.id, ""
    id = match.subjects.get(once_per)
    return (match.play.enabled.id, f"{once_per}:{id}") if id else None
