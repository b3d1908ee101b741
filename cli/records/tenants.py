"""`activity tenant`: the workspaces."""

from typing import TYPE_CHECKING, Annotated

import typer

from activity.errors import ActivityError
from activity.event_type import Audience
from cli.output import Json, print_each, print_one

if TYPE_CHECKING:
    from db.records.records import Tenant

tenants = typer.Typer(no_args_is_help=True, help="The workspaces.")


@tenants.command()
def add(
    slug: Annotated[
        str,
        typer.Argument(help="Its name in URLs and commands: at most 63 of a-z, 0-9 and -, with a letter."),
    ],
    name: Annotated[str | None, typer.Option(help="Its name for people. Default: the slug.")] = None,
    json: Json = False,
) -> None:
    """Make a workspace, with an empty log. One that is there stays as it is."""
    from db.engine import begin
    from db.records import records

    if name is not None and not 1 <= len(name) <= 200:
        raise ActivityError("--name: give 1 to 200 characters")
    with begin("producer") as session:
        made = records.make_tenant(session, slug, name or slug)
    print_one(made, _line(made), json)


@tenants.command()
def contents(
    slug: Annotated[str, typer.Argument(help="The workspace, by slug or id.")],
    wanted: Annotated[
        Audience, typer.Argument(help="For everyone, or for an e-mail's participants and their managers.")
    ],
    actor: Annotated[str, typer.Option(help="Who decides: an e-mail address.")],
) -> None:
    """Decide for whom the contents of a workspace's e-mails are, those of the past too."""
    from cli.workspace import workspace
    from producers.records.contents import decide

    with workspace(slug) as (session, tenant):
        changed = decide(session, tenant, wanted, actor)
    typer.echo(f"the contents of e-mails are for {wanted.value}{'' if changed else ', as they were'}")


@tenants.command("list")
def list_all(json: Json = False) -> None:
    """List the workspaces."""
    from db.engine import begin
    from db.records import records

    with begin("producer") as session:
        found = records.list_tenants(session)
    print_each(found, _line, json)


def _line(tenant: "Tenant") -> str:
    return f"{tenant.id:>6}  {tenant.slug:<32}  {tenant.name}"
