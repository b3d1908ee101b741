"""Mail texts: Jinja2 in a sandbox that can neither call nor compute at length, and that refuses a name it does not know."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from jinja2 import StrictUndefined, TemplateError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from activity.errors import ActivityError

LONGEST = 200_000  # characters of a rendered text
_FILTERS = (
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
)
_TESTS = (
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
)
# Without calls, assignments and products a text grows no faster than its source and its data. Abstract nodes name their whole kind.
_ALLOWED = (
    *(
        nodes.Output,
        nodes.TemplateData,
        nodes.If,
        nodes.For,
        nodes.Name,
        nodes.Const,
        nodes.Getattr,
        nodes.Getitem,
        nodes.Filter,
        nodes.Test,
    ),
    *(
        nodes.Compare,
        nodes.Operand,
        nodes.And,
        nodes.Or,
        nodes.Not,
        nodes.CondExpr,
        nodes.Concat,
        nodes.Add,
        nodes.Sub,
        nodes.Neg,
        nodes.Keyword,
    ),
)
NAMES = frozenset({"contact", "account", "sender", "unsubscribe_url"})


class TemplateInvalid(ActivityError, ValueError):
    """A template that cannot be rendered: says why and where."""


class _Sandbox(ImmutableSandboxedEnvironment):
    """No calls: "x".ljust(10**9) is one."""

    def is_safe_callable(self, obj: Any) -> bool:
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
    """A contact's own fields as they may be: a template is tried before anybody knows them."""

    def __getitem__(self, key: str) -> str:
        return "sample"

    def __iter__(self) -> Any:
        return iter(("sample",))

    def __len__(self) -> int:
        return 1


_PERSON = {"id": "1", "name": "Jo Park", "first_name": "Jo", "email": "jo@example.com", "fields": _AnyField()}
SAMPLE: Mapping[str, Any] = {
    "contact": _PERSON,
    "account": {"id": "1", "name": "Acme", "domain": "acme.example", "fields": _AnyField()},
    "sender": {"name": "Ana Ruiz", "email": "ana@example.com"},
    "unsubscribe_url": "https://example.com/u/x",
}


def check(source: str, *, html: bool) -> None:
    """Try a template on a sample: raises TemplateInvalid for a fault in it and for every name that no mail will have."""
    environment = _HTML if html else _TEXT
    try:
        tree = environment.parse(source)
    except TemplateError as error:
        raise TemplateInvalid(str(error)) from None
    for found in tree.find_all(nodes.Node):
        if not isinstance(found, _ALLOWED):
            raise TemplateInvalid(
                f"{type(found).__name__.lower()} is not allowed in a mail: it has values, filters, if and for"
            )
        if isinstance(found, nodes.For) and (found.recursive or next(found.find_all(nodes.For), None)):
            raise TemplateInvalid("a loop within a loop is not allowed in a mail")
        if isinstance(found, nodes.Getattr):
            _check_path(found)
    unknown = (
        {name.name for name in tree.find_all(nodes.Name) if name.ctx == "load"} - NAMES - _own_names(tree)
    )
    if unknown:
        raise TemplateInvalid(f"unknown name {min(unknown)!r}: a mail knows {', '.join(sorted(NAMES))}")
    render(source, SAMPLE, html=html)


def _own_names(tree: nodes.Template) -> set[str]:
    stored = {name.name for name in tree.find_all(nodes.Name) if name.ctx == "store"}
    return stored | ({"loop"} if next(tree.find_all(nodes.For), None) else set())


def _check_path(found: nodes.Getattr) -> None:
    """Refuse an attribute that no contact, account or sender has, also in a branch that the sample does not take."""
    if (
        isinstance(found.node, nodes.Name)
        and isinstance(known := SAMPLE.get(found.node.name), Mapping)
        and found.attr not in known
    ):
        raise TemplateInvalid(
            f"unknown name '{found.node.name}.{found.attr}': it has {', '.join(sorted(known))}"
        )


@lru_cache(maxsize=1000)
def _compiled(source: str, html: bool) -> Any:
    return (_HTML if html else _TEXT).from_string(source)


def render(source: str, names: Mapping[str, Any], *, html: bool) -> str:
    """Return the text that a template makes of these names. Raises TemplateInvalid, with the name that is missing."""
    parts, length = [], 0
    try:
        for part in _compiled(source, html).generate(names):
            length += len(part)
            if length > LONGEST:
                raise TemplateInvalid(f"the text grows beyond {LONGEST} characters")
            parts.append(part)
    except (
        TemplateError,
        TypeError,
        ValueError,
        ArithmeticError,
        LookupError,
        AttributeError,
        RecursionError,
    ) as error:
        if isinstance(error, TemplateInvalid):
            raise
        raise TemplateInvalid(f"{type(error).__name__}: {error}") from None
    return "".join(parts)
