"""Test vectors: our own, in tests/data, and larger foreign sets, which stand outside the repository."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

OWN = Path(__file__).parent / "data"
FOREIGN = Path(os.environ.get("ACTIVITY_SHARED_DATA", Path(__file__).parents[2] / "shared" / "data"))

# A test of foreign data alone, beside one that always runs.
extra = pytest.mark.beside(FOREIGN.exists(), "data of other projects: ACTIVITY_SHARED_DATA")


def own(name: str) -> Any:
    """Return a JSON file of tests/data."""
    return json.loads((OWN / name).read_text(encoding="utf-8"))


def foreign(name: str, otherwise: Any) -> Any:
    """Return a JSON file of the foreign data, or `otherwise` where there is none of it at all."""
    return json.loads((FOREIGN / name).read_text(encoding="utf-8")) if FOREIGN.exists() else otherwise
