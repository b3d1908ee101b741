"""How a command prints: text for people, or JSON with --json."""

from collections.abc import Callable, Iterable
from typing import Annotated, TypeVar

import typer

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]

_T = TypeVar("_T")


def print_json(value: object) -> None:
    """Print a value as one line of JSON; a NamedTuple or a database row becomes an object."""
    import msgspec

    typer.echo(msgspec.json.encode(_as_object(value)).decode())


def print_one(value: object, text: str, json: bool) -> None:
    """Print one result: `text`, or with --json the value."""
    print_json(value) if json else typer.echo(text)


def print_each(values: Iterable[_T], text: Callable[[_T], str], json: bool) -> None:
    """Print a list as it comes, one result a line: its text, or with --json one object a line."""
    for value in values:
        print_json(value) if json else typer.echo(text(value))


def _as_object(value: object) -> object:
    fields = getattr(value, "_asdict", None)
    return fields() if fields else value
