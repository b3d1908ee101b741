"""Which rows an event or a record is made of: `when`, a table of columns and what they must hold."""

from collections.abc import Callable

from producers.imports.errors import InvalidMapping
from producers.imports.fields import Context, Row
from producers.imports.section import Section

Condition = Callable[[Row], bool]
_FORMS = "one text, a list of texts, or one of { filled = true }, { starts = TEXT }, { not = TEXT or LIST }"


def compile_when(section: Section, context: Context) -> Condition:
    """Return what decides whether a row meets all conditions; without any, every row does."""
    tests = []
    for column, spec in section.values.items():
        context.columns.append((section.name(column), column))
        tests.append((column, _test(spec, section.name(column))))
    return lambda row: all(test(row.get(column, "")) for column, test in tests)


def _test(spec: object, key: str) -> Callable[[str], bool]:
    if not isinstance(spec, dict):
        return _texts(spec, key).__contains__
    section = Section(spec, key, "filled starts not")
    if len(spec) != 1:
        raise InvalidMapping(key, f"give {_FORMS}")
    if "filled" in section:
        filled = section.required("filled", bool)
        return lambda text: bool(text) is filled
    if "starts" in section:
        start = section.required("starts", str)
        return lambda text: text.startswith(start)
    refused = _texts(spec["not"], section.name("not"))
    return lambda text: text not in refused


def _texts(spec: object, key: str) -> frozenset[str]:
    texts = spec if isinstance(spec, list) else [spec]
    if not texts or not all(isinstance(text, str) for text in texts):
        raise InvalidMapping(key, f"{spec!r:.60}: give {_FORMS}")
    return frozenset(texts)
