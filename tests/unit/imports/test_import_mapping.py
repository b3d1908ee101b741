"""What a mapping file promises.

It guesses nothing, and an invalid one is reported by the key that is wrong.
"""

import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from activity.event import Event
from db.records.records import Account, Opportunity
from producers.imports.errors import InvalidMapping, RowRejected
from producers.imports.mapping import ImportMap, compile_mapping, load

_EXAMPLES = Path(__file__).parents[3] / "docs" / "examples"
_WHOLE = """
name = "calls"
[times.day]
format = "%d.%m.%Y"
zone = "Europe/Berlin"
[values.people]
AB = "ana@example.com"
[[event]]
type = "call.completed"
id = "{number}"
occurred_at = { value = "{day}", time = "day" }
account_id = "{company|slug}"
actor = { value = "{who}", values = "people", default = "system" }
payload = { contact_name = "{name}", duration_s = { value = "{seconds}", as = "integer" } }
"""
_ROW = {
    "number": "7",
    "day": "31.12.2025",
    "company": "Ärzte & Söhne GmbH",
    "who": "AB",
    "name": "",
    "seconds": "90",
}


def compiled(text: str) -> ImportMap:
    return compile_mapping(tomllib.loads(text))


def event(text: str, row: dict[str, str]) -> Event:
    (made,) = compiled(text).events_of(row, 1)
    return made


def test_a_row_becomes_the_event_that_the_mapping_says() -> None:
    made = event(_WHOLE, _ROW)
    assert made.occurred_at.astimezone(UTC) == datetime(2025, 12, 30, 23, tzinfo=UTC)
    assert (made.account_id, made.actor, made.source) == (
        "arzte-sohne-gmbh",
        "ana@example.com",
        "import:calls",
    )
    assert made.payload == {"duration_s": 90}, "what a row leaves empty is left out"


def test_a_row_gives_the_same_id_every_time_and_another_row_another() -> None:
    assert event(_WHOLE, _ROW).event_id == event(_WHOLE, _ROW | {"name": "Jo"}).event_id
    assert event(_WHOLE, _ROW).event_id != event(_WHOLE, _ROW | {"number": "8"}).event_id
    assert (
        event(_WHOLE, _ROW).event_id
        != event(_WHOLE.replace('name = "calls"', 'name = "others"'), _ROW).event_id
    )
    assert str(event(_WHOLE, _ROW).event_id) == "72984807-b816-5e83-8593-45d91852cbcf", (
        "or what was imported before would be imported again"
    )


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"typ": "x"}, r"event\[1\]\.typ: no such key; did you mean 'type'\? Allowed here: type, id"),
        ({"type": "call.complete"}, r"event\[1\]\.type: .*did you mean 'call.completed'"),
        ({"type": 3}, r"event\[1\]\.type: 3 is not a text"),
        ({"id": None}, r"event\[1\]\.id: missing; give a text"),
        ({"id": "{number"}, r"event\[1\]\.id: '\{number'"),
        ({"id": "{}"}, r"event\[1\]\.id: .*write a column as \{name\}"),
        (
            {"account_id": "{company|sluggish}"},
            r"event\[1\]\.account_id: no filter 'sluggish'; there are lower, upper, slug, dotted",
        ),
        ({"occurred_at": None}, r"event\[1\]\.occurred_at: missing; give"),
        (
            {"occurred_at": {"value": "{day}", "time": "month"}},
            r"event\[1\]\.occurred_at\.time: 'month': no such time; there are day",
        ),
        ({"occurred_at": datetime(2026, 1, 1)}, r"event\[1\]\.occurred_at: .* has no zone"),  # noqa: DTZ001  # that is the fault
        (
            {"actor": {"value": "{who}", "values": "staff"}},
            r"event\[1\]\.actor\.values: 'staff': no such table; there are people",
        ),
        ({"actor": {"value": "{who}", "default": "x", "els": "y"}}, r"event\[1\]\.actor\.els: no such key"),
        (
            {"payload": {"n": {"value": "{n}", "as": "float"}}},
            r"event\[1\]\.payload\.n\.as: 'float' is none of text, integer, decimal",
        ),
        (
            {"when": {"who": {"like": "A"}}},
            r"event\[1\]\.when\.who\.like: no such key; .*Allowed here: filled, starts, not",
        ),
        ({"when": {"who": 3}}, r"event\[1\]\.when\.who: 3: give one text, a list"),
    ],
)
def test_a_wrong_event_is_reported_by_its_key_and_what_is_allowed(wrong: dict[str, Any], told: str) -> None:
    values = tomllib.loads(_WHOLE)
    values["event"][0] = {
        key: value for key, value in {**values["event"][0], **wrong}.items() if value is not None
    }
    with pytest.raises(InvalidMapping, match=told):
        compile_mapping(values)


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("name", None, "name: missing"),
        ("nam", "x", "nam: no such key; did you mean 'name'"),
        ("event", [], "event: a row makes nothing"),
        ("event", {"type": "x"}, r"event\.type: give a table"),
        ("file", {"format": "xml"}, r"file\.format: 'xml' is none of csv, ndjson"),
        ("file", {"encoding": "guess"}, r"file\.encoding: 'guess' is none of utf-8"),
        ("file", {"delimiter": ";;"}, r"file\.delimiter: ';;' is not one character"),
        (
            "times",
            {"day": {"format": "%Y-%m-%d"}},
            r"times\.day\.zone: missing; a pattern without %z needs the zone",
        ),
        (
            "times",
            {"day": {"format": "%Y-%m-%d", "zone": "Berlin"}},
            r"times\.day\.zone: 'Berlin' is not an IANA time zone",
        ),
        ("times", {"day": {"format": "auto"}}, r"times\.day\.format: 'auto' is none of rfc3339, seconds"),
        ("times", {"day": {"format": "rfc3339", "zone": "UTC"}}, r"times\.day\.zone: .*its own zone"),
        (
            "times",
            {"day": {"format": "seconds", "epoch": "1970"}},
            r"times\.day\.epoch: '1970' is not an RFC 3339 time",
        ),
        (
            "record",
            [{"kind": "person"}],
            r"record\[1\]\.kind: 'person' is none of member, account, contact, opportunity",
        ),
        (
            "record",
            [{"kind": "account"}],
            r"record\[1\]\.id: missing; it is what distinguishes one account from another",
        ),
        (
            "record",
            [{"kind": "account", "id": "{a}", "parent": "{b}"}],
            r"record\[1\]\.parent: no such key; did you mean 'parent_id'",
        ),
        ("tables", {"team": {"key": "a", "match": "{a}"}}, r"tables\.team\.file: missing"),
    ],
)
def test_a_wrong_mapping_is_reported_by_its_key_and_what_is_allowed(
    key: str, value: object, told: str
) -> None:
    values = {name: kept for name, kept in {**tomllib.loads(_WHOLE), key: value}.items() if kept is not None}
    with pytest.raises(InvalidMapping, match=told):
        compile_mapping(values)


@pytest.mark.parametrize(
    ("column", "text", "told"),
    [
        ("day", "12/31/2025", r"event\[1\]\.occurred_at: '12/31/2025' is not written as %d\.%m\.%Y"),
        ("day", "", r"event\[1\]\.occurred_at: the column is empty"),
        ("seconds", "1.5", r"event\[1\]\.payload\.duration_s: '1\.5' is not a whole number"),
        ("number", "", r"event\[1\]\.id: a column of it is empty"),
    ],
)
def test_a_row_that_does_not_fit_is_rejected_with_the_key_and_the_value(
    column: str, text: str, told: str
) -> None:
    with pytest.raises(RowRejected, match=told):
        compiled(_WHOLE).events_of(_ROW | {column: text}, 1)


@pytest.mark.parametrize(
    ("form", "text", "moment"),
    [
        (
            {"format": "rfc3339"},
            "2026-01-02T03:04:05.678+02:00",
            datetime(2026, 1, 2, 1, 4, 5, 678000, tzinfo=UTC),
        ),
        ({"format": "seconds"}, "1767225600.5", datetime(2026, 1, 1, 0, 0, 0, 500000, tzinfo=UTC)),
        ({"format": "milliseconds"}, "1767225600500", datetime(2026, 1, 1, 0, 0, 0, 500000, tzinfo=UTC)),
        ({"format": "seconds", "epoch": "2003-10-01T00:00:00Z"}, "86400", datetime(2003, 10, 2, tzinfo=UTC)),
        ({"format": "%m/%d/%Y", "zone": "America/New_York"}, "3/1/2017", datetime(2017, 3, 1, 5, tzinfo=UTC)),
        ({"format": "%Y-%m-%d %H:%M %z"}, "2026-01-01 10:00 +0200", datetime(2026, 1, 1, 8, tzinfo=UTC)),
    ],
)
def test_a_time_is_read_as_its_format_states(form: dict[str, str], text: str, moment: datetime) -> None:
    values = tomllib.loads(_WHOLE) | {"times": {"day": form}}
    (made,) = compile_mapping(values).events_of(_ROW | {"day": text}, 1)
    assert made.occurred_at == moment


@pytest.mark.parametrize("text", ["2026-01-02T03:04:05", "2026-01-02", "yesterday", "1767225600"])
def test_a_time_without_a_zone_is_never_guessed(text: str) -> None:
    values = tomllib.loads(_WHOLE) | {"times": {"day": {"format": "rfc3339"}}}
    with pytest.raises(RowRejected, match=r"RFC 3339|no zone"):
        compile_mapping(values).events_of(_ROW | {"day": text}, 1)


def test_one_row_makes_every_event_it_fits_or_only_the_first() -> None:
    values = tomllib.loads(_WHOLE)
    note = {
        "type": "note.added",
        "id": "{number}/note",
        "occurred_at": datetime(2026, 1, 1, tzinfo=UTC),
        "account_id": "a",
        "payload": {"text": "{name}"},
    }
    values["event"] = [{**values["event"][0], "when": {"who": ["AB", "CD"]}}, note]
    assert [made.type for made in compile_mapping(values).events_of(_ROW, 1)] == [
        "call.completed",
        "note.added",
    ]
    values["file"] = {"events": "first"}
    assert [made.type for made in compile_mapping(values).events_of(_ROW, 1)] == ["call.completed"]
    assert [made.type for made in compile_mapping(values).events_of(_ROW | {"who": "X"}, 1)] == ["note.added"]


@pytest.mark.parametrize(
    ("when", "fits"),
    [
        ({"who": "AB"}, True),
        ({"who": "ab"}, False),
        ({"who": ["X", "AB"], "name": {"filled": False}}, True),
        ({"name": {"filled": True}}, False),
        ({"company": {"starts": "Ärzte"}}, True),
        ({"who": {"not": ["AB"]}}, False),
        ({"who": {"not": "X"}}, True),
    ],
)
def test_an_event_is_made_of_the_rows_that_fulfil_all_its_conditions(
    when: dict[str, Any], fits: bool
) -> None:
    values = tomllib.loads(_WHOLE)
    values["event"][0]["when"] = when
    assert bool(compile_mapping(values).events_of(_ROW, 1)) is fits


def test_a_row_becomes_records_whose_values_are_checked() -> None:
    values = tomllib.loads(_WHOLE) | {
        "record": [
            {
                "kind": "account",
                "id": "{company|slug}",
                "name": "{company}",
                "fields": {"size": {"value": "{seconds}", "as": "integer"}},
            },
            {
                "kind": "opportunity",
                "id": "{number}",
                "amount": {"value": "{seconds}", "as": "decimal"},
                "owner_email": "{name}",
            },
        ]
    }
    mapping = compile_mapping(values)
    account, deal = mapping.records_of(_ROW)
    assert account == Account(id="arzte-sohne-gmbh", name="Ärzte & Söhne GmbH", fields={"size": 90})
    assert isinstance(deal, Opportunity)
    assert str(deal.amount) == "90"
    with pytest.raises(RowRejected, match=r"record\[2\].*owner_email"):
        mapping.records_of(_ROW | {"name": "no address"})


def test_a_column_that_the_file_has_not_is_told_with_the_key_that_asks_for_it() -> None:
    with pytest.raises(
        InvalidMapping,
        match=r"event\[1\]\.payload\.contact_name: the file has no column 'name'; it has company, day",
    ):
        compiled(_WHOLE).check_columns(set(_ROW) - {"name"})


@pytest.mark.parametrize("path", sorted(_EXAMPLES.glob("*.toml")), ids=lambda path: path.stem)
def test_every_mapping_of_the_manual_is_valid(path: Path) -> None:
    assert load(path).events


def test_a_file_that_is_no_toml_is_told_by_its_place(tmp_path: Path) -> None:
    (tmp_path / "map.toml").write_text('name = "x"\nevent = = 1')
    with pytest.raises(InvalidMapping, match=r"this is not TOML: .*line 2"):
        load(tmp_path / "map.toml")
