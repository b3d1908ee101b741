"""What `activity playbook` promises."""

import json
from pathlib import Path

from typer.testing import CliRunner, Result

from cli.main import app
from tests.plays import World, playbook

SOURCE = playbook(
    "  - {do: create_task, title: 'Call {{ account.name }}'}\n  - {do: wait, for: 3d}", "once_per: account"
)


def activity(*arguments: object, answer: str | None = None) -> Result:
    return CliRunner().invoke(app, ["playbook", *map(str, arguments)], input=answer)


def written(folder: Path, text: str) -> Path:
    file = folder / "play.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def test_validate_names_every_mistake_as_editors_do_and_tells_by_its_exit_code(tmp_path: Path) -> None:
    good = activity("validate", written(tmp_path, SOURCE))
    assert (good.exit_code, good.output) == (0, "Play: valid, 2 steps\n")
    file = written(tmp_path, SOURCE.replace("create_task", "crate_task"))
    bad = activity("validate", file)
    assert bad.exit_code == 1
    assert f"{file}:6: steps[0].do: Invalid value 'crate_task'; did you mean 'create_task'?" in bad.output
    assert json.loads(activity("validate", file, "--json").stdout)["faults"][0]["line"] == 6


def test_the_schema_is_printed() -> None:
    assert "create_task" in activity("schema").stdout


def test_a_playbook_is_added_listed_enabled_paused_and_started(world: World, tmp_path: Path) -> None:
    file = written(tmp_path, SOURCE)
    assert activity("add", file).output == "Play: version 1\n"
    assert activity("add", file).output == "Play: unchanged, version 1\n"
    unsure = activity("enable", "Play", answer="n\n")
    assert (unsure.exit_code, json.loads(activity("list", "--json").stdout)["state"]) == (1, "paused")
    assert "Play: of the last " in unsure.output
    assert activity("enable", "Play", "--yes").output == "Play: enabled\n"
    assert json.loads(activity("list", "--json").stdout)["state"] == "enabled"
    assert activity("pause", "Play", "--reason", "holidays").output == "Play: paused\n"
    assert "(holidays)" in activity("list").output
    assert activity("start", "Play", "--account", "acme").output == "started\n"
    assert activity("start", "Play", "--account", "acme").exit_code == 1
    world.settle()
    run = json.loads(activity("runs", "--json").stdout)
    assert (run["state"], run["account_id"]) == ("waiting", "acme")
    assert activity("pause", run["id"], "--run").output == f"run {run['id']}: paused\n"
    assert (
        activity("skip", run["id"], "--actor", "ana@vendor.example").output == f"run {run['id']}: running\n"
    )
    world.settle()
    assert world.states() == ["completed"]
    assert activity("cancel", run["id"]).exit_code == 2
    assert activity("enable", "None", "--yes").exit_code == 2


def test_a_dry_run_says_what_would_be_done_and_does_nothing(world: World, tmp_path: Path) -> None:
    event = world.say()
    other = world.say("note.added", {"text": "x"})
    world.settle()
    file = written(tmp_path, SOURCE)
    tried = activity("dry-run", file, "--event", event)
    assert tried.output.splitlines() == [
        "would start: yes; once for account:acme",
        "  1. create_task assign_to=owner title='Call Acme'",
        "  2. wait 3d",
    ]
    not_tried = activity("dry-run", file, "--event", other)
    assert (not_tried.exit_code, not_tried.output) == (1, "would start: no: note.added is not its trigger\n")
    unmet = written(tmp_path, playbook("  - {do: stop}", "conditions: ['account.fields.tier == \"tin\"']"))
    assert (
        activity("dry-run", unmet, "--event", 1).output
        == 'would start: no: account.fields.tier == "tin" does not hold\n'
    )
    assert activity("dry-run", file, "--event", "x").exit_code == 2
    assert world.states() == []


def test_a_backtest_finds_what_a_live_run_starts(world: World, tmp_path: Path) -> None:
    source = playbook(
        "  - {do: add_note, text: x}", "conditions: ['event.payload.signal == \"a\"']\nonce_per: contact"
    )
    world.play(source)
    for n in range(20):
        world.say(payload={"signal": "ab"[n % 2]}, contact_id=f"c{n % 6}")
    world.settle()
    found = json.loads(activity("backtest", written(tmp_path, source), "--since", "0", "--json").stdout)
    assert (found["matched"], found["started"], found["refused"]) == (10, 3, {"started before (once_per)": 7})
    assert found["starts"] == [
        str(id) for (id,) in world.sql("select trigger_id from playbook.run order by id")
    ]
    assert (
        json.loads(activity("backtest", tmp_path / "play.yaml", "--since", "1d", "--json").stdout)["started"]
        == 3
    )
    later = world.sql("select count(*) from activity.event")[0][0]
    assert (
        json.loads(activity("backtest", tmp_path / "play.yaml", "--since", later, "--json").stdout)[
            "examined"
        ]
        == 0
    )
