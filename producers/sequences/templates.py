"""Mail texts: Jinja2 in a sandbox without calls and long computations, which refuses an unknown name."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from jinja2 import StrictUndefined, TemplateError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from activity.errors import ActivityError

LONGEST = 200_000  # characters of a rendered text
_FILTERS = [
    "capitalize",
    "default",
    "d",
    "e",
    "escape",
    "first",
    "int",
    "last",
    "length",
    "lower",
    "round",
    "title",
    "trim",
    "upper",
]
_TESTS = [
    "defined",
    "undefined",
    "none",
    "string",
    "number",
    "mapping",
    "sequence",
    "true",
    "false",
    "in",
    "eq",
    "ne",
    "lt",
    "gt",
    "le",
    "ge",
]
# Without calls, assignments and products a text grows no faster than its source and its data.
# Abstract nodes name their whole kind.
_ALLOWED = (
    *(nodes.Output, nodes.TemplateData, nodes.If, nodes.For, nodes.Name, nodes.Const),
    *(nodes.Getattr, nodes.Getitem, nodes.Filter, nodes.Test, nodes.Compare, nodes.Operand),
    *(nodes.And, nodes.Or, nodes.Not, nodes.CondExpr, nodes.Concat, nodes.Add, nodes.Sub),
    *(nodes.Neg, nodes.Keyword),
)
NAMES = frozenset({"contact", "account", "sender", "unsubscribe_url"})


class InvalidTemplate(ActivityError, ValueError):
    """A template that cannot be rendered; the message tells why and where."""


class _Sandbox(ImmutableSandboxedEnvironment):
    """No calls: "x".ljust(10**9) is one."""

    def is_safe_callable(self, obj: object) -> bool:
        """Refuse every call: a text needs filters alone."""
        return False


def _environment(*, html: bool) -> _Sandbox:
    made = _Sandbox(undefined=StrictUndefined, autoescape=html, keep_trailing_newline=False)
    made.globals.clear()
    made.filters = {name: made.filters[name] for name in _FILTERS}
    made.tests = {name: made.tests[name] for name in _TESTS}
    return made


_TEXT, _HTML = _environment(html=False), _environment(html=True)


class _AnyField(Mapping[str, str]):
    """A contact's own fields as they may be: a template is tried before they are known."""

    def __getitem__(self, key: str) -> str:
        return "sample"

    def __iter__(self) -> Any:
        return iter(("sample",))

    def __len__(self) -> int:
        return 1


_PERSON = {"id": "1", "name": "Jo Park", "first_name": "Jo", "email": "jo@example.com", "fields": _AnyField()}
SAMPLE: Mapping[str, object] = {
    "contact": _PERSON,
    "account": {"id": "1", "name": "Acme", "domain": "acme.example", "fields": _AnyField()},
    "sender": {"name": "Ana Ruiz", "email": "ana@example.com"},
    "unsubscribe_url": "https://example.com/u/x",
}


def check(source: str, *, html: bool) -> None:
    """Try a template on a sample.

    Raises InvalidTemplate for a fault in it, and for every name that no mail will have.
    """
    environment = _HTML if html else _TEXT
    try:
        tree = environment.parse(source)
    except TemplateError as error:
        raise InvalidTemplate(str(error)) from None
    for found in tree.find_all(nodes.Node):
        _check_node(found)
    loaded = {name.name for name in tree.find_all(nodes.Name) if name.ctx == "load"}
    if unknown := loaded - NAMES - _own_names(tree):
        raise InvalidTemplate(f"unknown name {min(unknown)!r}: a mail knows {', '.join(sorted(NAMES))}")
    render(source, SAMPLE, html=html)


def _check_node(found: nodes.Node) -> None:
    if not isinstance(found, _ALLOWED):
        kind = type(found).__name__.lower()
        raise InvalidTemplate(f"{kind} is not allowed in a mail: it has values, filters, if and for")
    if isinstance(found, nodes.For) and (found.recursive or next(found.find_all(nodes.For), None)):
        raise InvalidTemplate("a loop within a loop is not allowed in a mail")
    if isinstance(found, nodes.Getattr):
        _check_path(found)


def _own_names(tree: nodes.Template) -> set[str]:
    stored = {name.name for name in tree.find_all(nodes.Name) if name.ctx == "store"}
    return stored | ({"loop"} if next(tree.find_all(nodes.For), None) else set())


def _check_path(found: nodes.Getattr) -> None:
    """Refuse an attribute that a mail will never have, also in a branch that the sample does not take."""
    if not isinstance(found.node, nodes.Name):
        return
    name, known = found.node.name, SAMPLE.get(found.node.name)
    if isinstance(known, Mapping) and found.attr not in known:
        raise InvalidTemplate(f"unknown name '{name}.{found.attr}': it has {', '.join(sorted(known))}")


# What rendering a template may raise, whatever its values are.
_FAILURES = (
    *(TemplateError, TypeError, ValueError, ArithmeticError),
    *(LookupError, AttributeError, RecursionError),
)


@lru_cache(maxsize=1000)
def _compiled(source: str, html: bool) -> Any:
    return (_HTML if html else _TEXT).from_string(source)


def render(source: str, names: Mapping[str, Any], *, html: bool) -> str:
    """Return the text that a template makes of these names.

    Raises InvalidTemplate, with the name that is missing.
    """
    parts, length = [], 0
    try:
        for part in _compiled(source, html).generate(names):
            length += len(part)
            if length > LONGEST:
                raise InvalidTemplate(f"the text grows beyond {LONGEST} characters")
            parts.append(part)
    except InvalidTemplate:
        raise
    except _FAILURES as error:
        raise InvalidTemplate(f"{type(error).__name__}: {error}") from None
    return "".join(parts)
