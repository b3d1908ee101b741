"""`activity checkpoint`, `export` and `migrate`: what is kept of a log elsewhere, and the schema."""

import sys
from typing import Annotated

import typer

from cli.output import Json, print_json, print_one
from cli.workspace import TenantOption, resolve

Tenants = Annotated[
    list[str] | None,
    typer.Option(
        "--tenant", "-t", help="Only this tenant, by slug or id; may be repeated. Default: every tenant."
    ),
]


def migrate(json: Json = False) -> None:
    """Bring the database to this version's schema. Safe to run twice, and at the same time."""
    from db.migrate import migrate as run

    revision = run()
    print_one({"revision": revision}, f"the database is at revision {revision}", json)


def export(tenant: TenantOption = None) -> None:
    """Write a tenant's log to standard output, one JSON object a line.

    `verify --export` verifies it anywhere, without the database.
    """
    from feed.export import export as lines

    for line in lines(_id(tenant)):
        sys.stdout.buffer.write(line)


def checkpoint(tenant: Tenants = None) -> None:
    """Print a checkpoint of each log, to store outside the database.

    `verify --checkpoint` proves that nothing before it changed.
    """
    from feed.verify import checkpoints

    print_json(checkpoints(ids_of(tenant) if tenant else None))


def ids_of(tenants: list[str]) -> list[int]:
    """Return the ids of the tenants named."""
    return [_id(one) for one in tenants]


def _id(tenant: str | None) -> int:
    """Return the id of a tenant. An id is used as it is: an auditor need not have the producer's password."""
    return int(tenant) if tenant is not None and tenant.isdigit() else resolve(tenant).id
