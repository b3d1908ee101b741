"""Rows as one JSON parameter, so that one statement takes any number of them (json_to_recordset)."""

from collections.abc import Iterable, Mapping

import msgspec


def as_rows(rows: Iterable[Mapping[str, object]]) -> str:
    """Return rows as the JSON text that json_to_recordset reads."""
    return msgspec.json.encode(list(rows)).decode()
