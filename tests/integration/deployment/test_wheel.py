"""What the built wheel holds: all that an installation needs, the page included."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "web" / "dist"


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    [wheel] = folder.glob("*.whl")
    return set(zipfile.ZipFile(wheel).namelist())


def test_it_holds_every_file_of_the_packages(held: set[str]) -> None:
    packages = ("activity", "api", "bench", "cli", "db", "feed", "producers", "worker")
    tracked = subprocess.run(
        ["git", "ls-files", *packages], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.split()
    assert "db/migrations/env.py" in tracked
    assert [name for name in tracked if name not in held] == []


def test_it_holds_the_whole_page(held: set[str]) -> None:
    if not (PAGE / "index.html").exists() and not os.environ.get("CI"):
        pytest.skip("the page is not built: make install")
    built = {f"api/dist/{path.relative_to(PAGE)}" for path in PAGE.rglob("*") if path.is_file()}
    assert "api/dist/index.html" in built
    assert built <= held


def test_it_holds_no_test_and_no_secret(held: set[str]) -> None:
    assert [name for name in held if name.startswith(("tests/", ".")) or name.endswith(".env")] == []
