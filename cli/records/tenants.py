"""`activity tenant`, and the option --tenant of other commands."""

from typing import TYPE_CHECKING, Annotated

import typer

from activity.errors import ActivityError

if TYPE_CHECKING:
    from db.records.records import Tenant

TenantOption = Annotated[
    str | None,
    typer.Option("--tenant", "-t", help="The workspace, by slug or id. Default: the one there is."),
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]

tenants = typer.Typer(no_args_is_help=True, help="The workspaces.")


def resolve(ref: str | None) -> "Tenant":
    """Return the workspace that --tenant names; without it the only one there is. Raises an ActivityError that says what to do."""
    from db.engine import begin
    from db.records import records

    with begin("producer") as session:
        if ref is not None:
            return records.get_tenant(session, ref)
        found = records.list_tenants(session, limit=2)
    if not found:
        raise ActivityError("there is no tenant yet: `activity tenant add SLUG` makes one")
    if len(found) > 1:
        raise ActivityError(
            "there are several tenants: say which with --tenant; `activity tenant list` shows them"
        )
    return found[0]


@tenants.command()
def add(
    slug: Annotated[
        str, typer.Argument(help="Its name in URLs and commands: a-z, 0-9 and -, 63 characters at the most.")
    ],
    name: Annotated[str | None, typer.Option(help="Its name for people. Default: the slug.")] = None,
    json: Json = False,
) -> None:
    """Make a workspace, with an empty log. One that is there stays as it is."""
    import re

    from db.engine import begin
    from db.records import records

    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,62}", slug):
        raise ActivityError(
            f"{slug!r} is no slug: write a-z, 0-9 and -, 63 characters at the most, the first no -"
        )
    if name is not None and not 1 <= len(name) <= 200:
        raise ActivityError("--name: give 1 to 200 characters")
    with begin("producer") as session:
        made = records.make_tenant(session, slug, name or slug)
    _print([made], json)


@tenants.command("list")
def list_all(json: Json = False) -> None:
    """List the workspaces."""
    from db.engine import begin
    from db.records import records

    with begin("producer") as session:
        found = records.list_tenants(session)
    _print(found, json)


def _print(found: "list[Tenant]", json: bool) -> None:
    import msgspec

    for tenant in found:
        shown = tenant._asdict()
        typer.echo(
            msgspec.json.encode(shown).decode()
            if json
            else f"{tenant.id:>6}  {tenant.slug:<32}  {tenant.name}"
        )
