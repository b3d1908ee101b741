"""The option --tenant, and a transaction in the workspace that it names."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from activity.errors import ActivityError

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from activity.settings import Role
    from db.records.records import Tenant

TenantOption = Annotated[
    str | None,
    typer.Option("--tenant", "-t", help="The workspace, by slug or id. Default: the only one."),
]


def resolve(ref: str | None) -> "Tenant":
    """Return the workspace that --tenant names; without it, the only one.

    Raises ActivityError when there is none, or several.
    """
    from db.engine import begin
    from db.records import records

    with begin("producer") as session:
        if ref is not None:
            return records.find_tenant(session, ref)
        found = records.list_tenants(session, limit=2)
    if not found:
        raise ActivityError("there is no tenant yet: `activity tenant add SLUG` makes one")
    if len(found) > 1:
        raise ActivityError(
            "there are several tenants: choose one with --tenant; `activity tenant list` shows them"
        )
    return found[0]


@contextmanager
def workspace(ref: str | None, role: "Role" = "producer") -> "Iterator[tuple[Session, int]]":
    """Open a transaction as `role` in the workspace that --tenant names; yield it with the workspace's id."""
    from db.engine import begin

    tenant = resolve(ref).id
    with begin(role, tenant) as session:
        yield session, tenant
