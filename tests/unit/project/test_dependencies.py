"""What the project promises of the packages it uses."""

import json
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PINNED = ["requirements.txt", "requirements-dev.txt", "requirements-build.txt"]


def direct() -> set[str]:
    """Return the names of the packages that pyproject.toml and package.json name."""
    project, page = PROJECT["project"], json.loads((ROOT / "web" / "package.json").read_text())
    extras = [name for extra in project["optional-dependencies"].values() for name in extra]
    said = [*project["dependencies"], *extras, *PROJECT["dependency-groups"]["build"]]
    names = {re.split(r"[\[;<>=~ ]", requirement)[0] for requirement in said} | {
        *page["dependencies"],
        *page["devDependencies"],
    }
    return names - {project["name"]}


def test_every_direct_dependency_has_its_reason_and_no_reason_is_left_over() -> None:
    rows = re.findall(
        r"^\| ([^|]+) \| [^|]+ \|$", (ROOT / "docs" / "dependencies.md").read_text(), re.MULTILINE
    )
    explained = [name for row in rows for name in row.split(", ") if name != "package"]
    assert sorted(explained) == sorted(direct())


@pytest.mark.parametrize("name", PINNED)
def test_every_package_is_pinned_with_hashes_and_no_host_is_named(name: str) -> None:
    text = (ROOT / name).read_text()
    packages = re.findall(r"^\S.*(?:\n {4}.*)*", text, re.MULTILINE)
    assert len(packages) > 5
    assert [
        package for package in packages if not re.match(r"[a-z0-9.-]+==\S+ .*\\\n {4}--hash=sha256:", package)
    ] == []
    assert "://" not in text


def test_what_runs_is_what_was_tested() -> None:
    pins = [
        dict(re.findall(r"^([a-z0-9.-]+)==(\S+)", (ROOT / name).read_text(), re.MULTILINE)) for name in PINNED
    ]
    run, tested, built = pins
    for other in (run, built):
        assert {
            name: (version, tested[name])
            for name, version in other.items()
            if tested.get(name, version) != version
        } == {}
    assert set(run) <= set(tested)


@pytest.mark.parametrize("name", PINNED)
def test_the_pins_cover_what_the_project_asks_for(name: str) -> None:
    pinned = set(re.findall(r"^([a-z0-9.-]+)==", (ROOT / name).read_text(), re.MULTILINE))
    asked = (
        PROJECT["dependency-groups"]["build"]
        if name == "requirements-build.txt"
        else PROJECT["project"]["dependencies"]
    )
    assert {re.split(r"[\[;<>=~ ]", requirement)[0] for requirement in asked} <= pinned
