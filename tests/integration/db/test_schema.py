"""The kept description of the schema is the one that the migrations make."""

import os
from pathlib import Path
from typing import Any

import psycopg

from tests.schema import describe

KEPT = Path(__file__).parents[3] / "db" / "schema.txt"


def test_the_migrations_make_the_schema_that_is_described(admin: psycopg.Connection[Any]) -> None:
    made = describe(admin)
    if os.environ.get("ACTIVITY_WRITE_SCHEMA"):  # make reference
        KEPT.write_text(made)
    assert KEPT.read_text() == made, "run `make reference`"
