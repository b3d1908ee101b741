"""CEL: conditions and the {{ }} of texts, type-checked on saving, compiled once, and bounded when they run.

Names are declared as whole paths (`event.actor`, `account.owner_email`), so that a misspelt one is refused
when the playbook is saved. A text that a record or event does not have is "". A value that cannot be had
otherwise makes the condition not met. The run of one expression is bounded by the library's own iteration
budget, and its `matches` takes linear time.
"""

import difflib
import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from functools import cache
from typing import Any, NamedTuple

from cel_expr_python import cel  # type: ignore[import-untyped]  # it has stubs and no py.typed

from activity.errors import ActivityError
from producers.playbooks.definition import names
from producers.playbooks.definition.names import RECORDS, Facts, Fetch

_LITERAL = re.compile(r"""(?:\b[rRbB]{1,2})?("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')""")
_PATH = re.compile(r"(?<![\w.])[a-z]\w*(?:\s*\.\s*[A-Za-z_]\w*)*")
_HAS = re.compile(r"\bhas\s*\(\s*event\s*\.\s*payload\b")
_HOLE = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_NO_VALUE = (RuntimeError, ValueError, TypeError, OverflowError)  # what CEL raises
_EXACT = 2**53  # up to here every whole number is a float of its own
_POSITION = re.compile(r"ERROR: <input>:\d+:\d+: (.*)")


class InvalidExpression(ActivityError, ValueError):
    """An expression that does not compile, or whose type is wrong."""


class ExpressionLanguage:
    """What expressions may say where the event is of one of these types."""

    def __init__(self, types: Iterable[str]) -> None:
        self._types = tuple(types)
        self.declared = names.declared(self._types)
        types_of = {name: type_ for name, (type_, _) in self.declared.items()}
        self._env = cel.NewEnv(variables=types_of)
        # In has(event.payload.x) the name must be a key of the payload, not a variable of its own.
        self._loose = cel.NewEnv(
            variables={
                name: type_ for name, type_ in types_of.items() if not name.startswith("event.payload.")
            }
        )

    def compile(self, text: str, wanted: tuple[str, ...] = ()) -> "Expression":
        """Compile an expression whose value is of one of the wanted CEL types (any, if none).

        Raises InvalidExpression.
        """
        try:
            compiled = (self._loose if _HAS.search(text) else self._env).compile(text)
        except (RuntimeError, ValueError, TypeError) as error:
            raise InvalidExpression(self._reason(str(error))) from None
        result = compiled.return_type().name()
        if wanted and result not in wanted:
            raise InvalidExpression(f"this is {result.lower()}, and {wanted[0].lower()} is wanted")
        paths = {re.sub(r"\s", "", path) for path in _PATH.findall(_LITERAL.sub(" ", text))}
        self._check_payload(paths)
        prefixes = {
            ".".join(parts[:count])
            for path in paths
            if (parts := path.split("."))
            for count in range(1, len(parts) + 1)
        }
        return Expression(
            text,
            compiled,
            tuple((name, self.declared[name][1]) for name in sorted(prefixes & self.declared.keys())),
        )

    def show(self, data: Mapping[str, object]) -> object:
        """Return values by name as CEL takes them: each is converted when an expression asks for it."""
        return self._env.Activation(data)

    def _check_payload(self, paths: Iterable[str]) -> None:
        """Refuse a near miss of a field that the event type has.

        Other fields may be there, since payloads may hold more.
        """
        known = {name for type_ in self._types for name in names.fields_of(type_)}
        for path in paths:
            field = path.split(".")[2] if path.startswith("event.payload.") else ""
            if field and known and field not in known:
                near = difflib.get_close_matches(field, known, n=1, cutoff=0.8)
                if near:
                    raise InvalidExpression(f"no field {path!r}; did you mean 'event.payload.{near[0]}'?")

    def _reason(self, error: str) -> str:
        match = _POSITION.search(error)
        reason = (
            (match[1] if match else error.splitlines()[0])[:300]
            .removesuffix(" (in container '')")
            .removesuffix(" [INVALID_ARGUMENT]")
        )
        unknown = re.search(r"undeclared reference to '([^']+)'", reason)
        near = difflib.get_close_matches(unknown[1], self.declared, n=1) if unknown else []
        return f"{reason}; did you mean {near[0]!r}?" if near else reason


class Expression:
    """A compiled expression and the names it needs."""

    __slots__ = ("_eval", "equality", "names", "records", "text")

    def __init__(self, text: str, compiled: Any, names: tuple[tuple[str, Fetch], ...]) -> None:
        self.text = text
        self._eval = compiled.eval
        self.names = names
        self.equality = _equality(text, dict(names))
        self.records = frozenset(name.split(".")[0] for name, _ in names) & frozenset(RECORDS)

    def value(self, facts: Facts) -> object:
        """Return the expression's value. Raises InvalidExpression where it has none."""
        try:
            result = self._eval(data=_data(self.names, facts))
            value = result.plain_value()
        except _NO_VALUE as error:
            raise InvalidExpression(f"{self.text}: {str(error).splitlines()[0][:200]}") from None
        if result.type() == cel.Type.ERROR:
            raise InvalidExpression(f"{self.text}: {str(value)[:200]}")
        return value

    def holds(self, facts: Facts) -> bool:
        """Return whether the condition is met; one that has no value is not."""
        try:
            return self._eval(data=_data(self.names, facts)).value() is True
        except _NO_VALUE:
            return False

    def holds_in(self, view: object) -> bool:
        """Say the same of what a View shows."""
        try:
            return self._eval(view).value() is True
        except _NO_VALUE:
            return False


def _data(names: Iterable[tuple[str, Fetch]], facts: Facts) -> dict[str, object]:
    return {name: found for name, fetch in names if (found := fetch(facts)) is not None}


class View:
    """What many expressions see of one event.

    It is handed to CEL once for all of them, which costs more than to evaluate one.
    """

    def __init__(self, type: str, expressions: Iterable[Expression]) -> None:
        of_type = language(
            tuple(names.built_in([type]))
        )  # it gives a name the type and value that every language of this event gives it
        needed = {name for expression in expressions for name, _ in expression.names}
        self._show = of_type.show
        self._names = tuple(
            (name, of_type.declared[name][1]) for name in sorted(needed & of_type.declared.keys())
        )

    def of(self, facts: Facts) -> object:
        """Return what `Expression.holds_in` takes."""
        return self._show(_data(self._names, facts))


class Equality(NamedTuple):
    """What must be so for a condition to hold: what stands at a path of the event is this text."""

    path: str
    fetch: Fetch
    text: str


_EQUALITY = re.compile(r"""\s*(event(?:\.payload)?\.[a-z_]\w*)\s*==\s*"([^"\\]*)"\s*""")
_NOT_PLAIN = re.compile(r"\|\||\?")


def _equality(text: str, fetch: Mapping[str, Fetch]) -> Equality | None:
    """Return the equality that a condition is, or begins with before `&&`; None where it is not so plain."""
    match = _EQUALITY.match(text)
    if (
        match is None
        or not (match.end() == len(text) or text.startswith("&&", match.end()))
        or _NOT_PLAIN.search(_LITERAL.sub(" ", text))
    ):
        return None
    path, literal = match.groups()
    if path in fetch:
        return Equality(path, fetch[path], literal)
    if path.startswith("event.payload."):
        name, payload = path.removeprefix("event.payload."), names.payload("event")
        return Equality(path, lambda facts: payload(facts).get(name), literal)
    return None


class TextTemplate:
    """A text with {{ CEL }} in it."""

    __slots__ = ("_parts", "records")

    def __init__(self, text: str, language: ExpressionLanguage) -> None:
        pieces = _HOLE.split(text)
        self._parts = tuple(
            language.compile(piece.strip()) if at % 2 else piece for at, piece in enumerate(pieces)
        )
        self.records: frozenset[str] = frozenset().union(
            *(part.records for part in self._parts if isinstance(part, Expression))
        )

    def fill(self, facts: Facts) -> str:
        """Return the text with its values. Raises InvalidExpression where one has none."""
        return "".join(part if isinstance(part, str) else shown(part.value(facts)) for part in self._parts)

    def value(self, facts: Facts) -> Any:
        """Return the value of one {{ CEL }} alone as it is, a number as a number; else the text."""
        if len(self._parts) != 3 or self._parts[0] or self._parts[2]:
            return self.fill(facts)
        value = self._parts[1].value(facts)  # type: ignore[union-attr]  # what stands between {{ and }}
        return value if isinstance(value, str | bool | int | float | None) else shown(value)


def shown(value: object) -> str:
    """Return a value as a person would write it: nothing for null, true and false, lists with commas.

    A time is RFC 3339 without fractions of a second; a whole number has no fraction.
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    if isinstance(value, timedelta):
        return str(timedelta(seconds=round(value.total_seconds())))
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < _EXACT else repr(value)
    if isinstance(value, Mapping):
        return ", ".join(f"{shown(name)}: {shown(of)}" for name, of in value.items())
    return ", ".join(map(shown, value)) if isinstance(value, list | tuple) else str(value)


@cache
def language(types: tuple[str, ...]) -> ExpressionLanguage:
    """Return the language for events of these built-in types: each is made once."""
    return ExpressionLanguage(types)
