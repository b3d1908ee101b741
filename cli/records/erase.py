"""`activity erase`: erase a person."""

from typing import Annotated

import typer

from cli.output import Json, print_one
from cli.workspace import TenantOption, resolve


def erase(
    contact: Annotated[str, typer.Argument(help="The contact's id.")],
    actor: Annotated[str, typer.Option(help="Who erases: an e-mail address.")],
    tenant: TenantOption = None,
    reason: Annotated[
        str | None,
        typer.Option(help="Why, such as 'request of the person'. It stays in the log: no personal data."),
    ] = None,
    request_id: Annotated[str | None, typer.Option(help="The request in your privacy register.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    json: Json = False,
) -> None:
    """Erase a person for good: their record, and the content of every event about them. Safe to run again."""
    from activity.settings import settings
    from producers.records import erasure

    settings().required("eraser_password")
    found = resolve(tenant)
    wanted = erasure.Erasure(found.id, contact, actor, reason, request_id)
    erasure.check(wanted)
    if not yes:
        typer.confirm(
            f"Erase the contact {contact} of {found.slug} and the content of their events? "
            "It cannot be undone",
            abort=True,
        )
    events = erasure.erase(wanted)
    print_one({"contact": contact, "events": events}, f"erased; {events} events lost their content", json)
