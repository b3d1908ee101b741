"""The filters that `activity feed` and `activity tail` share, as options of the command line."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from activity.errors import ActivityError

if TYPE_CHECKING:
    from db.log.reading.filter import Filter

_Text = str | None
_Texts = list[str] | None


@dataclass(frozen=True)
class FilterOptions:
    """Which events a command shows; each field is an option."""

    account: Annotated[_Text, typer.Option(help="Only events of this account.")] = None
    contact: Annotated[_Text, typer.Option(help="Only events of this contact.")] = None
    beneath: Annotated[
        _Text,
        typer.Option(help="Only events of the accounts beneath this one, and changes of its own place."),
    ] = None
    types: Annotated[_Texts, typer.Option("--type", help="Only events of this type; may be repeated.")] = None
    category: Annotated[
        _Texts, typer.Option(help="Only events of this category, such as email; may be repeated.")
    ] = None
    record: Annotated[_Text, typer.Option(help="Only events that link to this record, as TYPE:ID.")] = None
    actor: Annotated[_Text, typer.Option(help="Only what this user did, by e-mail address, or 'system'.")] = (
        None
    )
    source: Annotated[_Text, typer.Option(help="Only what this producer emitted.")] = None

    def filter(self) -> "Filter":
        """Return the filter that the options describe. Raises ActivityError for one that is not valid."""
        from db.log.reading.filter import Filter

        record_type, record_id = record_of(self.record)
        return Filter(
            account=self.account,
            contact=self.contact,
            beneath=self.beneath,
            types=(*known_types(self.types or []), *_types_of(self.category or [])),
            record_type=record_type,
            record_id=record_id,
            actor=self.actor,
            source=self.source,
        )


def filtered(command: Callable[..., None]) -> Callable[..., None]:
    """Replace a command's first parameter, FilterOptions, by one option for each field.

    typer reads options from a signature, and does not look into a dataclass.
    """

    def with_options(**given: Any) -> None:  # typer calls by name, with values of the types declared below
        filters = FilterOptions(**{name: given.pop(name) for name in names})
        command(filters, **given)

    names = [field.name for field in fields(FilterOptions)]
    options = inspect.signature(FilterOptions).parameters.values()
    own = list(inspect.signature(command).parameters.values())[1:]
    keyword = inspect.Parameter.KEYWORD_ONLY
    parameters = [parameter.replace(kind=keyword) for parameter in (*options, *own)]
    with_options.__name__, with_options.__doc__ = command.__name__, command.__doc__
    with_options.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # typer reads it
    with_options.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return with_options


def record_of(text: str | None) -> tuple[str | None, str | None]:
    """Return the type and the id of a record written TYPE:ID."""
    if text is None:
        return None, None
    kind, colon, number = text.partition(":")
    if not (kind and colon and number):
        raise ActivityError(f"--record {text}: write TYPE:ID, such as opportunity:42")
    return kind, number


def known_types(names: list[str]) -> list[str]:
    """Return the names. Raises ActivityError for one that can only be a misspelt built-in type."""
    from activity.catalogue import CATALOGUE, nearest

    for name in names:
        if name not in CATALOGUE and (near := nearest(name)):
            raise ActivityError(f"no type {name!r}; did you mean {near!r}?")
    return names


def _types_of(categories: list[str]) -> list[str]:
    from activity.catalogue import CATALOGUE, Category

    for name in categories:
        if name not in list(Category):
            raise ActivityError(f"--category {name}: there are {', '.join(Category)}")
    return [name for name, known in CATALOGUE.items() if known.category in categories]


def moment_of(option: str, text: str | None) -> datetime | None:
    """Return the time written as RFC 3339 with a zone, or None."""
    import msgspec

    if text is None:
        return None
    try:
        moment = msgspec.convert(text, datetime)
    except msgspec.ValidationError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ActivityError(f"{option} {text}: write a time with its zone, such as 2026-01-31T09:30:00Z")
    return moment
