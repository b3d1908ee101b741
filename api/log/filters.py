"""The filters of list and stream: query parameters, made into the log's own Filter."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, Field, StringConstraints
from sqlalchemy.orm import Session

from activity.catalogue import CATALOGUE, Category
from activity.validation import EARLIEST, LATEST
from api.http.problems import Problem
from db.log.reading.counts import distinct_types
from db.log.reading.filter import Filter

# What PostgreSQL and the log refuse in a name can filter nothing.
Name = Annotated[str, StringConstraints(min_length=1, max_length=320, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")]
Type = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*(\.[a-z0-9_]+)*(\.\*)?$", max_length=80)]
Locale = Annotated[
    str,
    Field(
        pattern="^[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*$",
        max_length=35,
        description="The language of the summaries: en, de",
    ),
]

_NOTHING = "*"  # no type has this name
_TABS: dict[str, str | None] = {"all": None} | {category.value: category.value for category in Category}


class Filters(BaseModel):
    """Query parameters that list and stream share."""

    account: Annotated[Name | None, Field(description="Events about this account")] = None
    contact: Annotated[Name | None, Field(description="Events about this contact")] = None
    beneath: Annotated[
        Name | None, Field(description="Events of the accounts beneath this one, and changes of its parent")
    ] = None
    record: Annotated[Name | None, Field(description="type:id of a record", pattern="^[^:]+:.+$")] = None
    type: Annotated[
        list[Type] | None,
        Field(description="A type, or a prefix such as email.*; may be repeated", max_length=20),
    ] = None
    category: Annotated[Category | None, Field(description="The types of a category")] = None
    tab: Annotated[
        Name | None,
        Field(
            description="A category, or all, or (with account) hierarchy",
            json_schema_extra={"enum": list(_TABS)},
        ),
    ] = None
    actor: Annotated[Name | None, Field(description="What this user, or system, did")] = None
    source: Annotated[Name | None, Field(description="What this producer said")] = None

    def which(self, session: Session, tenant: int, **more: datetime | int | None) -> Filter:
        """Return the filter; a prefix is made into the types there are.

        Raises the problem of a tab that is none.
        """
        if self.tab is not None and self.tab not in _TABS:
            raise Problem(
                "invalid",
                f"there is no tab {self.tab!r}",
                [{"pointer": "#/query/tab", "detail": f"one of {', '.join(_TABS)}"}],
            )
        beneath, category = self.beneath, self.category
        account = self.account
        if self.tab == "hierarchy" and account is not None:
            beneath, account = account, None
        elif self.tab is not None and _TABS[self.tab] is not None:
            category = Category(self.tab)
        record_type, _, record_id = (self.record or "").partition(":")
        return Filter(
            account=account,
            contact=self.contact,
            beneath=beneath,
            types=self._types(session, tenant, category),
            record_type=record_type or None,
            record_id=record_id or None,
            actor=self.actor,
            source=self.source,
            **more,  # type: ignore[arg-type]  # since, until and as_of
        )

    @property
    def prefixes(self) -> tuple[str, ...]:
        """Return the beginnings of types asked for: also of types that no event has yet.

        A category has none.
        """
        if self.category is not None or self.tab not in (None, "all", "hierarchy"):
            return ()
        return tuple(name[:-1] for name in self.type or () if name.endswith(".*"))

    def _types(self, session: Session, tenant: int, category: Category | None) -> tuple[str, ...]:
        sets: list[set[str]] = []
        if category is not None:
            sets.append({name for name, known in CATALOGUE.items() if known.category is category})
        if self.type:
            sets.append(set(_expanded(session, tenant, self.type)))
        return tuple(sorted(set.intersection(*sets))) or (_NOTHING,) if sets else ()


def _expanded(session: Session, tenant: int, wanted: Iterable[str]) -> Iterable[str]:
    known: list[str] | None = None
    for name in wanted:
        if not name.endswith(".*"):
            yield name
            continue
        known = distinct_types(session, tenant) if known is None else known
        yield from (found for found in {*known, *CATALOGUE} if found.startswith(name[:-1]))


def moment(value: AwareDatetime | None) -> datetime | None:
    """Return a time that the log can compare with: beyond its range, the range's end."""
    return None if value is None else max(EARLIEST, min(LATEST, value))
