"""What a definition may say, and what is said of one that is wrong."""

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import jsonschema
import msgspec
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from activity.event import RecordedEvent
from db.playbooks.playbooks import Enabled
from producers.playbooks.definition.conditions import InvalidExpression, TextTemplate, language
from producers.playbooks.definition.document import json_schema, names_of
from producers.playbooks.definition.program import Program, build
from producers.playbooks.definition.source import Fault, InvalidPlaybook
from producers.playbooks.matching import Index, Play, matches

EXAMPLES = sorted((Path(__file__).parents[3] / "docs/examples/playbooks").glob("*.yaml"))
SIGNALS = language(("signal.detected",))


def event(
    type: str = "signal.detected", payload: bytes = b'{"signal":"demo","score":4}', **about: Any
) -> RecordedEvent:
    moment = datetime(2026, 3, 1, tzinfo=UTC)
    said = {"account_id": "acme"} | about
    return RecordedEvent(
        tenant_id=1,
        seq=7,
        event_id=UUID(int=7),
        type=type,
        version=1,
        occurred_at=moment,
        recorded_at=moment,
        actor="system",
        source="api",
        payload=msgspec.Raw(payload),
        **said,
    )


def faults(source: str) -> list[str]:
    with pytest.raises(InvalidPlaybook) as caught:
        build(source)
    return [str(fault) for fault in caught.value.faults]


def tried(source: str) -> list[Fault]:
    """Return the faults of a definition, none where it is valid."""
    try:
        build(source)
    except InvalidPlaybook as invalid:
        return invalid.faults
    return []


def test_every_mistake_is_named_with_its_line_and_field() -> None:
    source = """\
name: Many mistakes
trigger:
  event: signal.detected
  max_age: 900d
conditions:
  - event.payload.sginal == "x"
  - event.payload.signal > 3
  - account.nme != ""
steps:
  - do: create_task
    title: "Call {{ account.nam }}"
    assign_to: round_robin
  - do: wait_for_event
    event: email.replid
    within: 3d
"""
    assert faults(source) == [
        "line 4: trigger.max_age: 900d is too long: 366d at most",
        "line 6: conditions[0]: no field 'event.payload.sginal'; did you mean 'event.payload.signal'?",
        "line 7: conditions[1]: found no matching overload for '_>_' applied to '(string, int)'",
        "line 8: conditions[2]: undeclared reference to 'account.nme'; did you mean 'account.name'?",
        "line 10: steps[0].members: round_robin needs members, and only round_robin has them",
        "line 11: steps[0].title: undeclared reference to 'account.nam'; did you mean 'account.name'?",
        "line 14: steps[1].event: no event type 'email.replid'; did you mean 'email.replied'?",
    ]


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ("", "line 1: the definition is empty"),
        ("a: [", "line 1: this is no YAML: expected the node content, but found '<stream end>'"),
        ("name: a\nname: b\n", "line 2: 'name' is given twice"),
        ("a: &x [1]\nb: *x\n", "line 1: b: anchors and aliases are not supported: write it out"),
        ("[" * 5000, "line 1: the definition is nested too deeply"),
        ("x" * 70_000, "line 1: the definition is longer than 65,536 characters"),
        (
            "name: a\nsteps: [{do: stop}]\ntrigger: {}\n",
            "line 3: trigger: say one of event, schedule or manual",
        ),
        (
            "name: a\ntrigger: {manual: true}\nsteps:\n  - do: crate_task\n",
            "line 4: steps[0].do: Invalid value 'crate_task'; did you mean 'create_task'?",
        ),
        (
            "name: a\ntrigger: {manual: true}\nsteps:\n  - do: wait\n    for: 3 days\n",
            "line 5: steps[0].for: a duration is a whole number and a unit: 90s, 15m, 4h, 3d or 2w",
        ),
        (
            "name: a\ntrigger: {manual: true}\nsteps: [{do: stop}]\ncooldown: 1d\n",
            "line 4: cooldown: a cooldown needs once_per: account, contact or opportunity",
        ),
        (
            "name: a\ntrigger: {schedule: every day, for_each: account}\nsteps: [{do: stop}]\n",
            (
                "line 2: trigger.schedule: write five cron fields: minute hour day month weekday, "
                "such as '0 8 * * 1-5'"
            ),
        ),
        (
            "name: a\ntrigger: {schedule: 0 8 * * *, for_each: account, zone: Berlin}\nsteps: [{do: stop}]\n",
            "line 2: trigger.zone: no time zone 'Berlin'; write one such as Europe/Berlin",
        ),
    ],
)
def test_a_mistake_says_what_would_be_right(source: str, fault: str) -> None:
    assert faults(source) == [fault]


@given(
    st.text(max_size=300)
    | st.from_regex(r"(name|trigger|steps|do|if): ?[\[\]{}&*!|>'\"\-\n a-z:]{0,40}", fullmatch=True)
)
def test_any_text_is_a_program_or_has_a_line_with_a_fault(text: str) -> None:
    assert all(fault.line >= 1 and fault.message for fault in tried(text))


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_an_example_is_valid_and_fits_the_json_schema(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert build(text).operations
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(yaml.safe_load(text), schema)


def test_the_schema_refuses_what_the_program_refuses() -> None:
    wrong = {"name": "a", "trigger": {"event": "Signal"}, "steps": [{"do": "create_task"}]}
    assert list(jsonschema.Draft202012Validator(json_schema()).iter_errors(wrong))
    assert json.dumps(json_schema())


@pytest.mark.parametrize(
    ("expression", "holds"),
    [
        ('event.payload.signal == "demo"', True),
        ('event.payload.rule == ""', True),
        ("event.payload.score > 3", True),
        ("event.payload.score > 3.5", True),
        ("event.payload.visits > 3", False),
        ("!has(event.payload.visits) && has(event.payload.signal)", True),
        ('event.contact_id == "" && event.account_id == "acme"', True),
        ('now - event.occurred_at < duration("1h")', True),
        ('account.fields.tier == "gold"', False),
        ('account.fields["tier"] == "gold" || account.name == ""', True),
        ('event.payload.signal.matches("^(a+)+$")', False),
        ('[1, 2, 3].all(x, [1, 2, 3].all(y, x * y < 10)) && "x" in ["x"]', True),
    ],
)
def test_a_condition_is_met_or_not(expression: str, holds: bool) -> None:
    moment = event()
    assert (
        SIGNALS.compile(expression, ("BOOL", "DYN")).holds({"event": moment, "now": moment.recorded_at})
        is holds
    )


def test_a_condition_that_would_run_for_ever_is_not_met() -> None:
    thousand = "[" + ",".join("0" * 200) + "]"
    nested = f"{thousand}.all(a, {thousand}.all(b, {thousand}.all(c, a == b && b == c)))"
    assert language(()).compile(nested).holds({"event": event()}) is False


@pytest.mark.parametrize(
    "expression",
    ["event", "event.payload.signal", "1", "event.seq + ''", 'size("x")', "no.such == 1", "true)", ""],
)
def test_what_is_no_condition_is_refused_when_it_is_saved(expression: str) -> None:
    with pytest.raises(InvalidExpression):
        SIGNALS.compile(expression, ("BOOL", "DYN"))


def test_a_text_takes_the_values_of_its_holes() -> None:
    template = TextTemplate(
        "{{ event.payload.signal }} of {{ account.name }}: {{ event.seq + 1 }}, {{ event.seq > 3 }}", SIGNALS
    )
    assert (
        template.fill({"event": event(), "account": {"name": "Acme {{ event.seq }}"}})
        == "demo of Acme {{ event.seq }}: 8, true"
    )


def test_an_event_type_has_its_own_name_and_the_patterns_that_hold_it() -> None:
    assert list(names_of("acme.form.filled")) == ["acme.form.filled", "acme.form.*", "acme.*", "*"]


def program(conditions: str, trigger: str = "signal.detected") -> Program:
    return build(
        f"name: x\ntrigger: {{event: {trigger}}}\nconditions:\n{conditions}\nsteps: [{{do: stop}}]\n"
    )


ATOMS = st.sampled_from(
    [
        'event.payload.signal == "demo"',
        'event.payload.signal == ""',
        'event.payload.own == "x"',
        'event.payload.score == "4"',
        "event.payload.score > 3",
        'event.actor == "system"',
        'event.contact_id == ""',
        "true",
        "(false || true)",
    ]
)
PAYLOADS = st.sampled_from(
    [
        b'{"signal":"demo","score":4}',
        b'{"signal":"other","own":"x"}',
        b'{"own":1}',
        b"null",
        b'{"signal":"","score":"4"}',
    ]
)


CONDITIONS = st.builds(
    lambda atoms, joined: f" {joined} ".join(atoms),
    st.lists(ATOMS, min_size=1, max_size=3),
    st.sampled_from(["&&", "||"]),
)
TRIGGERS = st.sampled_from(
    ["signal.detected", "signal.*", "[signal.detected, call.completed]"]
)  # each has its own names and types


@given(st.lists(st.tuples(TRIGGERS, CONDITIONS), min_size=1, max_size=3), PAYLOADS)
def test_the_index_finds_the_playbooks_whose_conditions_hold_and_no_other(
    said: list[tuple[str, str]], payload: bytes
) -> None:
    plays = [
        Play(Enabled(at, 1, 0), program(f"  - '{condition}'", trigger))
        for at, (trigger, condition) in enumerate(said)
    ]
    moment = event(payload=payload)
    hold = [
        play
        for play in plays
        if play.program.conditions[0].holds({"event": moment, "now": moment.recorded_at})
    ]
    assert [match.play for match in matches(Index(plays), [moment], lambda kind, ids: {})] == hold


STEPS: st.SearchStrategy[Any] = st.deferred(lambda: st.lists(SIMPLE | BRANCHES | WAITS, max_size=4))
SIMPLE: st.SearchStrategy[Any] = st.sampled_from(
    [
        {"do": "stop"},
        {"do": "add_note", "text": "x"},
        {"do": "wait", "for": "1h"},
        {"do": "create_task", "title": "x"},
    ]
)
BRANCHES: st.SearchStrategy[Any] = st.builds(
    lambda then, other: {"do": "branch", "if": "true", "then": then, "else": other}, STEPS, STEPS
)
WAITS: st.SearchStrategy[Any] = st.builds(
    lambda steps: {"do": "wait_for_event", "event": "a.b", "within": "1h", "on_timeout": steps}, STEPS
)


@given(STEPS.filter(bool))
def test_every_way_through_a_valid_playbook_goes_forward_to_its_end(steps: list[object]) -> None:
    text = json.dumps({"name": "x", "trigger": {"manual": True}, "steps": steps})
    too_much = [str(fault) for fault in tried(text)]
    assert all("nested more than" in fault or "more than 100 steps" in fault for fault in too_much)
    found = build(text if not too_much else "name: x\ntrigger: {manual: true}\nsteps: [{do: stop}]\n")
    for at, operation in enumerate(found.operations):
        assert at < operation.next <= len(found.operations)
        if operation.kind in ("branch", "wait_for_event"):
            assert at < operation.otherwise <= len(found.operations)


def test_a_schedule_comes_at_its_hour_in_its_own_zone_through_a_change_of_clocks() -> None:
    scheduled = build(
        "name: x\ntrigger: {schedule: 0 8 * * *, for_each: account, zone: Europe/Berlin}\nsteps: [{do: "
        "stop}]\n"
    )
    assert scheduled.next_moment(datetime(2026, 3, 28, 12, tzinfo=UTC)) == datetime(
        2026, 3, 29, 6, tzinfo=UTC
    )
    assert scheduled.next_moment(datetime(2026, 3, 27, 12, tzinfo=UTC)) == datetime(
        2026, 3, 28, 7, tzinfo=UTC
    )


def test_a_process_that_keeps_programs_ends_well() -> None:
    keep = """
import sys
from producers.playbooks.definition import cache, program
for n in range(3): cache._programs[n] = program.build(sys.argv[1])"""
    children = [subprocess.Popen([sys.executable, "-c", keep, EXAMPLES[0].read_text()]) for _ in range(8)]
    assert [child.wait(60) for child in children] == [0] * 8
