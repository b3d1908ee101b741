"""The rules of the house that no linter keeps: sizes, names and words. CONTRIBUTING.md states them."""

import ast
import re
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
LAYERS = ("activity", "api", "cli", "db", "feed", "producers", "worker")
PRODUCTION = sorted(path for layer in LAYERS for path in (ROOT / layer).rglob("*.py"))
CODE = sorted(
    path
    for folder in (*LAYERS, "bench", "tests", "web/src", "web/test")
    for path in (ROOT / folder).rglob("*")
    if path.suffix in {".py", ".sql", ".ts"}
)
LONGEST_FILE, LONGEST_TEST, MOST_FILES = 350, 400, 12
MEDIAN_FUNCTION, NINTH_FUNCTION, LONGEST_FUNCTION = 5, 15, 32  # lines of a body, its docstring not counted
A_FILE_A_PROVIDER = {"producers/mail/webhooks/providers"}
# Columns and fields that other programs read, and a person's manager.
PUBLISHED = {"manager_email", "manager_of", "heard"}


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_no_file_is_too_long() -> None:
    lengths = {name_of(path): len(path.read_text().splitlines()) for path in CODE}
    limits = {name: LONGEST_TEST if "tests/" in name else LONGEST_FILE for name in lengths}
    assert {name: lines for name, lines in lengths.items() if lines > limits[name]} == {}


def test_no_folder_holds_too_many_files() -> None:
    files = Counter(name_of(path.parent) for path in CODE if not name_of(path).startswith("tests/"))
    crowded = {folder: count for folder, count in files.items() if count > MOST_FILES}
    assert {folder for folder in crowded if "migrations" not in folder} - A_FILE_A_PROVIDER == set()


def test_functions_stay_small() -> None:
    lengths = {place: lines for path in PRODUCTION for place, lines in functions(path)}
    assert {place: lines for place, lines in lengths.items() if lines > LONGEST_FUNCTION} == {}
    assert statistics.median(lengths.values()) <= MEDIAN_FUNCTION
    assert statistics.quantiles(lengths.values(), n=10)[-1] <= NINTH_FUNCTION


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """Yield each function's place, and the lines of its body."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[1:] if ast.get_docstring(node) and node.body[1:] else node.body
            yield f"{name_of(path)}:{node.lineno} {node.name}", (node.end_lineno or 0) - first[0].lineno + 1


def test_no_two_public_classes_share_a_name() -> None:
    places = defaultdict(list)
    for path in PRODUCTION:
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(name_of(path))
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


@pytest.mark.parametrize("path", PRODUCTION, ids=name_of)
def test_names_use_no_word_that_the_vocabulary_excludes(path: Path) -> None:
    names = {*names_in(path), *path.relative_to(ROOT).with_suffix("").parts} - PUBLISHED
    assert {name for name in names if words(name) & excluded_words()} == set()


def excluded_words() -> set[str]:
    _, sentence = (ROOT / "docs/words.md").read_text().split("Not in names of code:")
    return set(re.findall(r"`(\w+)`", sentence))


def words(name: str) -> set[str]:
    return {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+", name)}


def names_in(path: Path) -> Iterator[str]:
    """Yield what a module names itself: its functions, classes, arguments, variables and attributes."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr
        elif isinstance(node, ast.alias) and node.asname:
            yield node.asname
