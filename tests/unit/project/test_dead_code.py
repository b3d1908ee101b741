"""What nothing uses is deleted: a name that only its own definition and tests know serves nobody."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parents[3]
PACKAGES = ("activity", "api", "bench", "cli", "db", "feed", "producers", "worker")

# Whole files whose names another program reads, and names that a library calls by its own contract.
READ_BY_OTHERS = {"worker/config.py": "Celery", "cli/deployment/flowerconfig.py": "Flower"}
CALLED_BY_OTHERS = {
    "connect_unix_socket": "httpcore's network backend",
    "connection_lost": "asyncio's protocols",
    "data_received": "asyncio's protocols",
    "handle_EHLO": "aiosmtpd",
    "is_safe_callable": "Jinja2's sandbox",
}


def _trees() -> Iterator[tuple[Path, ast.Module]]:
    for package in PACKAGES:
        for path in sorted((HERE / package).rglob("*.py")):
            yield path, ast.parse(path.read_text())


def _definitions(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Yield functions, methods and classes, without those that a decorator registers, and constants."""
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
            and not node.decorator_list
        ):
            yield node.name, node.lineno
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        for target in targets:
            if isinstance(target, ast.Name):
                yield target.id, node.lineno


def _used(tree: ast.Module) -> Iterator[str]:
    """Yield every name that is read, and the words of every text but docstrings: some are looked up."""
    prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.keyword) and node.arg:
            yield node.arg
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
            yield from re.findall(r"\w+", node.value)


def _entry_points() -> set[str]:
    scripts = tomllib.loads((HERE / "pyproject.toml").read_text())["project"]
    points = [
        *scripts["scripts"].values(),
        *(p for g in scripts["entry-points"].values() for p in g.values()),
    ]
    return {point.rpartition(":")[2] for point in points}


def test_nothing_is_defined_that_nothing_uses() -> None:
    trees = list(_trees())
    used = {name for _, tree in trees for name in _used(tree)} | _entry_points() | set(CALLED_BY_OTHERS)
    dead = [
        f"{path.relative_to(HERE)}:{line} {name}"
        for path, tree in trees
        if str(path.relative_to(HERE)) not in READ_BY_OTHERS
        for name, line in _definitions(tree)
        if name not in used and not name.startswith("__")
    ]
    assert not dead, "\n".join(dead)


def test_no_exception_of_the_rule_is_itself_dead() -> None:
    defined = {name for _, tree in _trees() for name, _ in _definitions(tree)}
    assert set(CALLED_BY_OTHERS) <= defined
    assert all((HERE / path).exists() for path in READ_BY_OTHERS)
