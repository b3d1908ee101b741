"""Queries on databases that are not ours: read only, one row, within a time."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from activity.errors import ActivityError


class QueryFailed(ActivityError):
    """The other database gave no row that can be used; the text shows no address."""


@cache
def _engine(url: str) -> Engine:
    return create_engine(url, poolclass=NullPool, hide_parameters=True)


def look_up(url: str, query: str, values: Mapping[str, Any], timeout_s: float) -> Mapping[str, Any] | None:
    """Return the first row of a configured query, or None. Raises QueryFailed."""
    try:
        with _engine(url).connect() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text(f"set local statement_timeout = {int(timeout_s * 1000)}"))
                connection.execute(text("set transaction read only"))
            row = (
                connection.execute(
                    text(query), {name: value for name, value in values.items() if f":{name}" in query}
                )
                .mappings()
                .first()
            )
            connection.rollback()
        return (
            None
            if row is None
            else {
                name: value if isinstance(value, bool | int | float | str | None) else str(value)
                for name, value in row.items()
            }
        )
    except (SQLAlchemyError, ImportError, ValueError) as error:
        raise QueryFailed(f"the database gave no row: {type(error).__name__}") from None
