"""`activity erase`: erase a person."""

from typing import Annotated

import typer

from cli.output import Json, print_one
from cli.workspace import TenantOption, resolve


def erase(
    actor: Annotated[str, typer.Option(help="Who erases: an e-mail address.")],
    contact: Annotated[str | None, typer.Argument(help="The contact's id.")] = None,
    address: Annotated[
        str | None, typer.Option(help="Instead of a contact: who is none, and only wrote or was written to.")
    ] = None,
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
    if (contact is None) == (address is None) or (address is not None and "@" not in address):
        raise typer.BadParameter("give either a contact's id or --address with an e-mail address")
    found, whom = resolve(tenant), f"the contact {contact}" if contact else f"who has the address {address}"
    wanted = erasure.Erasure(found.id, contact, actor, reason, request_id, address)
    erasure.check(wanted)
    if not yes:
        typer.confirm(
            f"Erase {whom} of {found.slug} and the content of their events? It cannot be undone",
            abort=True,
        )
    events = erasure.erase(wanted)
    erased = {"contact": contact, "address": address, "events": events}
    print_one(erased, f"erased; {events} events lost their content", json)
