"""The parts of the page that need no browser."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from activity.catalogue import CATALOGUE

WEB = Path(__file__).parents[3] / "web"


def test_every_icon_of_the_catalogue_is_in_the_page() -> None:
    drawn = json.loads((WEB / "icons.json").read_text())
    assert sorted(drawn["catalogue"]) == sorted({known.icon for known in CATALOGUE.values()})


def test_the_modules_of_the_page_keep_their_promises() -> None:
    vitest = WEB / "node_modules" / "vitest" / "vitest.mjs"
    if not vitest.exists() and not os.environ.get("CI"):
        pytest.skip("the page's packages are not installed: make install")
    ran = subprocess.run(
        ["node", vitest, "run"],
        cwd=WEB,
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "NO_COLOR": "1"},
        timeout=110,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
