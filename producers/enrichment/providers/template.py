"""Templates of URLs, headers and bodies.

{name} is a value of the record, {env:NAME} a secret in the environment.
"""

import os
import re
from collections.abc import Callable
from urllib.parse import quote

from producers.enrichment.provider import Question

_PLACE = re.compile(r"\{(env:[A-Z][A-Z0-9_]*|[a-z][a-z0-9_]*)\}")


class Template:
    """Text with places for values. Raises ValueError where the environment lacks a secret that it names."""

    def __init__(self, text: str) -> None:
        self._text = text
        places = set(_PLACE.findall(text))
        missing = sorted(
            place for place in places if place.startswith("env:") and place[4:] not in os.environ
        )
        if missing:
            raise ValueError(
                f"the environment has no {missing[0][4:]}: set it, the configuration reads a secret there"
            )
        self.names = sorted(place for place in places if not place.startswith("env:"))

    def values(self, question: Question) -> dict[str, str] | None:
        """Return the value for each place, or None where the record lacks one."""
        known = {
            **question.values,
            "tenant": question.tenant_slug,
            "record_id": question.record_id,
            "idempotency_key": question.idempotency_key,
        }
        found = {
            name: str(known[name])
            for name in self.names
            if isinstance(known.get(name), str | int | float) and str(known[name]).strip()
        }
        return found if len(found) == len(self.names) else None

    def fill(self, values: dict[str, str], escape: Callable[[str], str] = str) -> str:
        """Return the text with the values, each escaped, in their places."""
        return _PLACE.sub(lambda match: self._fill_one(match[1], values, escape), self._text)

    @staticmethod
    def _fill_one(place: str, values: dict[str, str], escape: Callable[[str], str]) -> str:
        return os.environ[place[4:]] if place.startswith("env:") else escape(values[place])


def in_url(value: str) -> str:
    """Escape a value for any part of a URL."""
    return quote(value, safe="")


def in_header(value: str) -> str:
    """Escape a value for a header: no line can be added."""
    return quote(value, safe=" !#$&'()*+,/:;=?@[]~")
