"""The filters that `activity feed` and `activity tail` share, as they are written on the command line."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from activity.errors import ActivityError

if TYPE_CHECKING:
    from db.log.events import Filter

Account = Annotated[str | None, typer.Option(help="Only events of this account.")]
Contact = Annotated[str | None, typer.Option(help="Only events of this contact.")]
Beneath = Annotated[
    str | None,
    typer.Option(help="Only events of the accounts beneath this one, and changes of its own place."),
]
Types = Annotated[list[str] | None, typer.Option("--type", help="Only events of this type; may be repeated.")]
Category = Annotated[
    list[str] | None,
    typer.Option("--category", help="Only events of this category, such as email; may be repeated."),
]
Record = Annotated[str | None, typer.Option(help="Only events that link to this record, as TYPE:ID.")]
Actor = Annotated[str | None, typer.Option(help="Only what this user did, by e-mail address, or 'system'.")]
Source = Annotated[str | None, typer.Option(help="Only what this producer said.")]


def filter_of(
    account: str | None,
    contact: str | None,
    beneath: str | None,
    types: list[str] | None,
    category: list[str] | None,
    record: str | None,
    actor: str | None,
    source: str | None,
) -> "Filter":
    """Return the filter that the options say."""
    from db.log.events import Filter

    record_type, record_id = record_of(record)
    names = (*known_types(types or []), *_types_of(category or []))
    return Filter(
        account=account,
        contact=contact,
        beneath=beneath,
        types=names,
        record_type=record_type,
        record_id=record_id,
        actor=actor,
        source=source,
    )


def record_of(text: str | None) -> tuple[str | None, str | None]:
    """Return the type and the id of a record written TYPE:ID."""
    if text is None:
        return None, None
    kind, colon, number = text.partition(":")
    if not (kind and colon and number):
        raise ActivityError(f"--record {text}: write TYPE:ID, such as opportunity:42")
    return kind, number


def known_types(names: list[str]) -> list[str]:
    """Return the names; raise an error for one that can only be a misspelt built-in."""
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
