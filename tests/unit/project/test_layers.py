"""What the import contracts cannot see."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PACKAGES = ("activity", "api", "cli", "feed", "producers", "worker")
OUTSIDE_DB = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
# A transaction and what it read are passed on, its end is waited for, its errors are told apart; statements
# are made in db alone.
KNOWN_EVERYWHERE = {"sqlalchemy.Row", "sqlalchemy.orm.Session", "sqlalchemy.event.listen"}


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", OUTSIDE_DB, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_sql_is_made_outside_db(path: Path) -> None:
    found = {name for name in imports(path) if name.split(".")[0] in {"sqlalchemy", "psycopg"}}
    assert {name for name in found - KNOWN_EVERYWHERE if not name.startswith("sqlalchemy.exc.")} == set()
