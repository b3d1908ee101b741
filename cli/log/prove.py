"""`activity prove`: hand somebody the proof of one event."""

from typing import Annotated
from uuid import UUID

import typer

from cli.output import print_json
from cli.workspace import TenantOption, workspace


def prove(
    event_id: Annotated[UUID, typer.Argument(metavar="ID", help="The event's event_id.")],
    tenant: TenantOption = None,
) -> None:
    """Print an event with all that proves it, for docs/examples/verify_proof.py, which needs no database."""
    from feed.proof import prove as run

    with workspace(tenant, "reader") as (session, number):
        proof = run(session, number, event_id)
    print_json(proof)
