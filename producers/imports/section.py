"""A table of a mapping file, read key by key.

An error for an unknown or missing key, or a value of the wrong kind, names the key in full.
"""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any, TypeVar

from producers.imports.errors import InvalidMapping

T = TypeVar("T")
_KINDS = {str: "a text", bool: "true or false", dict: "a table", list: "a list", int: "a whole number"}


class Section:
    """One table, and its place in the file. `allowed` is every key it may have; None: any."""

    def __init__(self, values: Mapping[str, Any], path: str, allowed: str | None = None) -> None:
        self.values = values
        self.path = path
        known = list(values) if allowed is None else allowed.split()
        for key in values:
            if key not in known:
                near = get_close_matches(key, known, n=1)
                meant = f"did you mean {near[0]!r}? " if near else ""
                raise InvalidMapping(self.name(key), f"no such key; {meant}Allowed here: {', '.join(known)}")

    def name(self, key: str) -> str:
        """Return the key's full name."""
        return f"{self.path}.{key}" if self.path else key

    def __contains__(self, key: str) -> bool:
        return key in self.values

    def required(self, key: str, kind: type[T]) -> T:
        """Return a value that must be there."""
        if key not in self.values:
            raise InvalidMapping(self.name(key), f"missing; give {_KINDS[kind]}")
        return self._of(key, self.values[key], kind)

    def optional(self, key: str, kind: type[T], default: T) -> T:
        """Return a value, or the default where there is none."""
        return self._of(key, self.values[key], kind) if key in self.values else default

    def choice(self, key: str, choices: str, default: str) -> str:
        """Return one of the words of `choices`."""
        value = self.optional(key, str, default)
        if value not in choices.split():
            raise InvalidMapping(self.name(key), f"{value!r} is none of {', '.join(choices.split())}")
        return value

    def table(self, key: str, allowed: str | None = None) -> "Section":
        """Return a table within this one; an empty one where there is none."""
        return Section(self.optional(key, dict, {}), self.name(key), allowed)

    def tables(self, key: str, allowed: str | None = None) -> Iterator["Section"]:
        """Yield the tables of [[key]], or of [key.NAME], in their order."""
        found = self.values.get(key, [])
        if not isinstance(found, (list, dict)):
            raise InvalidMapping(self.name(key), f"write it as [[{self.name(key)}]]")
        named = (
            [(f"{self.name(key)}.{name}", table) for name, table in found.items()]
            if isinstance(found, dict)
            else [(f"{self.name(key)}[{number}]", table) for number, table in enumerate(found, start=1)]
        )
        for path, table in named:
            if not isinstance(table, dict):
                raise InvalidMapping(path, "give a table")
            yield Section(table, path, allowed)

    def _of(self, key: str, value: Any, kind: type[T]) -> T:
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise InvalidMapping(self.name(key), f"{value!r:.60} is not {_KINDS[kind]}")
        return value
