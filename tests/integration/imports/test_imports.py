"""What an import promises: every row becomes what the mapping says, once, or is put aside with its reason."""

import csv
import gzip
import io
import json
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from typer.testing import CliRunner

from cli.main import app
from producers.imports import run
from producers.imports.errors import ImportFailed, InvalidMapping
from producers.imports.mapping import ImportMap, compile_mapping, load
from producers.imports.run import Importer, Summary
from tests import vectors

_EXAMPLES = Path(__file__).parents[3] / "docs" / "examples"
_MAP = """
name = "calls"
[[record]]
kind = "account"
id = "{company}"
[[event]]
type = "call.completed"
id = "{number}"
occurred_at = { value = "{at}", as = "rfc3339" }
account_id = "{company}"
payload = { outcome = "{outcome}" }
"""
_HEADER = "number,at,company,outcome"

Sql = psycopg.Connection[Any]


@pytest.fixture
def mapping() -> ImportMap:
    return compile_mapping(tomllib.loads(_MAP), "digest")


def _rows(numbers: Iterable[int], company: str = "acme") -> list[str]:
    return [f"{n},2026-01-01T00:00:00Z,{company},answered" for n in numbers]


def _write(path: Path, lines: Iterable[str]) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def _import(path: Path, mapping: ImportMap, tenant: int | None, **options: Any) -> Summary:
    return Importer(mapping, tenant, append_here=True, **options).run(path, path.parent)


def _count(admin: Sql, what: str = "activity.event") -> int:
    row = admin.execute(f"select count(*) from {what}").fetchone()  # noqa: S608  # a name of ours
    assert row is not None
    return int(row[0])


def _rejects(summary: Summary) -> list[tuple[int, str]]:
    assert summary.rejects_file is not None
    rejects = [json.loads(line) for line in Path(summary.rejects_file).read_text().splitlines()]
    return [(reject["line"], reject["reason"]) for reject in rejects]


def test_a_second_import_of_a_file_adds_nothing(
    tmp_path: Path, mapping: ImportMap, tenant: int, admin: Sql
) -> None:
    path = _write(tmp_path / "calls.csv", [_HEADER, *_rows(range(2500))])
    first, second = (_import(path, mapping, tenant) for _ in range(2))
    assert (first.rows, first.emitted, first.appended, first.duplicates, first.records) == (
        2500,
        2500,
        2500,
        0,
        1,
    )
    assert (second.rows, second.emitted, second.appended, second.duplicates, second.records) == (
        2500,
        2500,
        0,
        2500,
        0,
    )
    assert _count(admin) == 2500
    assert sorted(tmp_path.iterdir()) == [path], "nothing is left beside the file"


def test_events_are_in_the_log_in_the_order_of_the_rows(
    tmp_path: Path, mapping: ImportMap, tenant: int, admin: Sql
) -> None:
    _import(
        _write(tmp_path / "calls.csv", [_HEADER, *_rows(range(30), "b"), *_rows(range(30, 60), "a")]),
        mapping,
        tenant,
    )
    assert [row for (row,) in admin.execute("select account_id from activity.event order by seq")] == [
        "b"
    ] * 30 + ["a"] * 30


def test_csv_plain_and_packed_and_ndjson_give_the_same_events(
    tmp_path: Path, mapping: ImportMap, tenant: int, admin: Sql
) -> None:
    lines = [_HEADER, *_rows(range(5))]
    plain = _write(tmp_path / "calls.csv", lines)
    packed = tmp_path / "calls.csv.gz"
    packed.write_bytes(gzip.compress(b"\xef\xbb\xbf" + plain.read_bytes()))
    objects = [json.dumps(row) for row in csv.DictReader(io.StringIO(plain.read_text()))]
    ndjson = compile_mapping({**tomllib.loads(_MAP), "file": {"format": "ndjson"}})
    assert _import(plain, mapping, tenant).appended == 5
    assert _import(packed, mapping, tenant).duplicates == 5
    assert _import(_write(tmp_path / "calls.ndjson", objects), ndjson, tenant).duplicates == 5
    assert _count(admin) == 5


def test_ndjson_objects_within_objects_are_columns_with_dots(tmp_path: Path, tenant: int, admin: Sql) -> None:
    text = _MAP.replace("{company}", "{call.company}").replace("{outcome}", "{call.tags}")
    mapping = compile_mapping({**tomllib.loads(text), "file": {"format": "ndjson"}})
    row = {
        "number": 1,
        "at": "2026-01-01T00:00:00Z",
        "call": {"company": "acme", "tags": ["a", "b"], "none": None},
    }
    _import(_write(tmp_path / "calls.ndjson", [json.dumps(row)]), mapping, tenant)
    assert admin.execute("select account_id, payload->>'outcome' from activity.event").fetchall() == [
        ("acme", '["a", "b"]')
    ]


def test_a_bad_row_is_put_aside_with_its_line_and_reason_and_the_others_are_imported(
    tmp_path: Path, mapping: ImportMap, tenant: int, admin: Sql
) -> None:
    lines = [
        _HEADER,
        *_rows([1]),
        "2,yesterday,acme,x",
        '3,2026-01-01T00:00:00Z,acme,"two',
        'lines"',
        "4,2026-01-01T00:00:00Z,acme",
        "",
    ]
    lines += [
        f"5,2026-01-01T00:00:00Z,{'a' * 201},x",
        "6,1970-01-01T00:00:00Z,acme,x",
        f"7,2026-01-01T00:00:00Z,acme,{'x' * 501}",
        *_rows([8]),
    ]
    path = tmp_path / "calls.csv"
    path.write_bytes(
        "\n".join(lines).encode()
        + b"\n9,2026-01-01T00:00:00Z,ac\xffme,x\n"
        + b"\n".join(line.encode() for line in _rows([10]))
    )
    summary = _import(path, mapping, tenant)
    assert (summary.rows, summary.rejected, summary.appended) == (10, 6, 4)
    assert [line for line, _ in _rejects(summary)] == [3, 6, 8, 9, 10, 12]
    told = [
        "event[1].occurred_at: 'yesterday'",
        "3 cells under 4 columns",
        "record[1]",
        "occurred_at",
        "payload.outcome",
        "not in the encoding",
    ]
    for (_, reason), part in zip(_rejects(summary), told, strict=True):
        assert part in reason
    assert _count(admin) == 4


def test_a_record_that_the_database_refuses_is_put_aside_alone(
    tmp_path: Path, tenant: int, admin: Sql
) -> None:
    text = _MAP + '\n[[record]]\nkind = "account"\nid = "{company}"\nparent_id = "{outcome}"\n'
    lines = [
        _HEADER,
        *(
            f"{n},2026-01-01T00:00:00Z,company-{n},{'nobody' if n == 333 else 'company-0'}"
            for n in range(1, 500)
        ),
    ]
    lines.insert(1, "0,2026-01-01T00:00:00Z,company-0,")
    summary = _import(_write(tmp_path / "calls.csv", lines), compile_mapping(tomllib.loads(text)), tenant)
    assert (summary.rejected, summary.appended) == (1, 499)
    ((line, reason),) = _rejects(summary)
    assert line == 335
    assert "foreign key" in reason
    assert _count(admin, "crm.account") == 499


def test_an_interrupted_import_goes_on_after_what_is_committed(
    tmp_path: Path, mapping: ImportMap, tenant: int, admin: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "CHUNK", 100)
    lines = [_HEADER, *_rows(range(950))]
    lines[50], lines[500] = "no row", "no row either"
    path = _write(tmp_path / "calls.csv", lines)
    ticks: list[int] = []

    def interrupt(tick: run.Ticks) -> None:
        ticks.append(tick.rows)
        if tick.rows == 600:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _import(path, mapping, tenant, report=interrupt)
    assert max(ticks) == 600
    with (tmp_path / "calls.csv.rejects.ndjson").open("a") as file:
        file.write('{"line": 700, "reason": "written after the last commit"}\n')
    summary = _import(path, mapping, tenant)
    assert (summary.resumed_after, summary.rows, summary.rejected, summary.emitted) == (600, 950, 2, 948)
    assert (summary.appended, summary.duplicates) == (948, 0), "nothing is emitted twice"
    assert [line for line, _ in _rejects(summary)] == [51, 501]
    assert _count(admin) == 948


def test_an_import_begins_anew_when_the_file_or_the_mapping_is_another(
    tmp_path: Path, mapping: ImportMap, tenant: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "CHUNK", 10)
    path = _write(tmp_path / "calls.csv", [_HEADER, *_rows(range(30))])

    def interrupt(tick: run.Ticks) -> None:
        if tick.rows == 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _import(path, mapping, tenant, report=interrupt)
    assert _import(path, compile_mapping(tomllib.loads(_MAP), "another digest"), tenant).resumed_after == 0
    with pytest.raises(KeyboardInterrupt):
        _import(path, mapping, tenant, report=interrupt)
    _write(path, [_HEADER, *_rows(range(29)), *_rows([99])])
    assert _import(path, mapping, tenant).resumed_after == 0


def test_rows_may_choose_their_tenant_by_a_column_and_by_a_second_file(
    tmp_path: Path, admin: Sql, environment: dict[str, str]
) -> None:
    _write(tmp_path / "regions.csv", ["company,region", "acme,North East", "globex,West"])
    text = _MAP + (
        '\n[tables.region]\nfile = "regions.csv"\nkey = "company"\nmatch = "{company}"\n'
        '[tenant]\nslug = "sales-{region.region|slug}"\ncreate = true\n'
    )
    lines = [_HEADER, *_rows([1], "acme"), *_rows([2], "globex"), *_rows([3], "acme"), *_rows([4], "initech")]
    summary = _import(_write(tmp_path / "calls.csv", lines), compile_mapping(tomllib.loads(text)), None)
    assert (summary.appended, summary.rejected) == (3, 1)
    assert _rejects(summary) == [(5, "tenant.slug: a column of it is empty")]
    counts = admin.execute(
        "select slug, count(*) from activity.event"
        " join crm.tenant t on t.id = tenant_id group by 1 order by 1"
    ).fetchall()
    assert counts == [("sales-north-east", 2), ("sales-west", 1)]


def test_an_import_waits_while_the_log_is_behind(
    tmp_path: Path, mapping: ImportMap, tenant: int, admin: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "CHUNK", 100)
    monkeypatch.setattr(run, "MOST_WAITING", 250)
    path = _write(tmp_path / "calls.csv", [_HEADER, *_rows(range(2000))])
    behind: list[int] = []
    _import(path, mapping, tenant, report=lambda tick: behind.append(tick.waiting))
    assert 250 < max(behind) <= 350
    assert _count(admin) == 2000


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "has to name the columns"),
        (b"a,a\n1,2\n", "each once"),
        (b"number,at\n1,2\n", r"no column 'company'"),
        (b"number,at,company,outcome\n" + b"x" * 1_100_000, "line 2 has 1000000 characters or more"),
    ],
)
def test_a_file_that_is_not_what_the_mapping_is_for_is_refused(
    content: bytes, told: str, tmp_path: Path, mapping: ImportMap, tenant: int
) -> None:
    (tmp_path / "calls.csv").write_bytes(content)
    with pytest.raises((ImportFailed, InvalidMapping), match=told):
        _import(tmp_path / "calls.csv", mapping, tenant)


def test_a_packed_file_that_is_cut_off_is_told_and_what_was_before_is_kept(
    tmp_path: Path, mapping: ImportMap, tenant: int, admin: Sql
) -> None:
    packed = gzip.compress("\n".join([_HEADER, *_rows(range(10_000))]).encode())
    (tmp_path / "calls.csv.gz").write_bytes(packed[:-1000])
    with pytest.raises(ImportFailed, match="unreadable after line"):
        _import(tmp_path / "calls.csv.gz", mapping, tenant)
    assert _count(admin, "activity.outbox") > 0


def test_the_command_tells_by_its_exit_code(tmp_path: Path, tenant: int, environment: dict[str, str]) -> None:
    (tmp_path / "map.toml").write_text(_MAP)
    good, bad = (
        _write(tmp_path / "good.csv", [_HEADER, *_rows([1])]),
        _write(tmp_path / "bad.csv", [_HEADER, "1,2"]),
    )

    def command(*arguments: object) -> tuple[int, str]:
        result = CliRunner().invoke(app, ["import", *map(str, arguments), "--append-here", "--json"])
        return result.exit_code, result.output

    code, output = command(good, "--map", tmp_path / "map.toml")
    assert code == 0
    assert json.loads(output)[0]["appended"] == 1
    assert command(good, bad, "--map", tmp_path / "map.toml", "--tenant", tenant)[0] == 1
    (tmp_path / "map.toml").write_text(_MAP.replace("outcome =", "outcome"))
    assert command(good, "--map", tmp_path / "map.toml")[0] == 2
    assert command(good, "--map", tmp_path / "none.toml")[0] == 2
    code, output = command(good, "--map", _EXAMPLES / "email_eu_core.toml", "--tenant", "nobody")
    assert code == 2
    assert "no tenant 'nobody'" in output


@pytest.fixture
def maven() -> Path:
    """The folder of a real CRM's accounts and opportunities."""
    return vectors.FOREIGN / "crm" / "maven"


@vectors.extra
def test_a_real_pipeline_is_imported_once_whichever_way_its_dates_are_written(
    maven: Path, tmp_path: Path, tenant: int, admin: Sql
) -> None:
    def bring(file: str, mapping: str) -> tuple[int | None, int]:
        summary = Importer(load(_EXAMPLES / mapping), tenant, append_here=True).run(maven / file, tmp_path)
        return summary.appended, summary.rejected

    assert bring("accounts.csv", "maven_accounts.toml") == (85, 0)
    assert bring("sales_pipeline.csv", "maven_pipeline.toml") == (15_011, 0)
    assert bring("sales_pipeline.us-dates.csv", "maven_pipeline_us_dates.toml") == (0, 0)
    assert bring("accounts.csv", "maven_accounts.toml") == (0, 0)
    types = dict(admin.execute("select type, count(*) from activity.event group by 1").fetchall())
    assert types == {"account.added": 85, "deal.stage_changed": 8300, "deal.won": 4238, "deal.lost": 2473}
    assert _count(admin, "crm.account where parent_id is not null") == 15
    assert _count(admin, "crm.opportunity where account_id is null") == 1425
    assert _count(admin, "crm.member where manager_email is not null") == 30
    assert _count(admin, "activity.event where payload->>'name' = 'GTXPro'") == 0
    assert _count(admin, "crm.account where fields->>'sector' = 'technology'") == 12
