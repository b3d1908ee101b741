"""Queries on databases of a customer: read only and one row; PostgreSQL is also given a time limit."""

from collections.abc import Mapping
from functools import cache

from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from activity.errors import ActivityError


class QueryFailed(ActivityError):
    """The other database gave no usable row; the text shows no address."""


@cache
def _engine(url: str) -> Engine:
    return create_engine(url, poolclass=NullPool, hide_parameters=True)


def look_up(
    url: str, query: str, values: Mapping[str, object], timeout_s: float
) -> Mapping[str, object] | None:
    """Return the first row of a configured query, or None. Raises QueryFailed."""
    try:
        with _engine(url).connect() as connection:
            _restrict(connection, timeout_s)
            named = {name: value for name, value in values.items() if f":{name}" in query}
            row = connection.execute(text(query), named).mappings().first()
            connection.rollback()
        return None if row is None else {name: _plain(value) for name, value in row.items()}
    except (SQLAlchemyError, ImportError, ValueError) as error:
        raise QueryFailed(f"the database gave no row: {type(error).__name__}") from None


def _restrict(connection: Connection, timeout_s: float) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"set local statement_timeout = {int(timeout_s * 1000)}"))
        connection.execute(text("set transaction read only"))


def _plain(value: object) -> bool | int | float | str | None:
    return value if isinstance(value, bool | int | float | str | None) else str(value)
