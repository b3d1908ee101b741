"""`activity export` and `migrate`."""

import sys

from cli.log.checkpoints import id_of
from cli.output import Json, print_one
from cli.workspace import TenantOption


def migrate(json: Json = False) -> None:
    """Bring the database to this version's schema. Safe to run twice, and at the same time."""
    from db.migrate import migrate as run

    revision = run()
    print_one({"revision": revision}, f"the database is at revision {revision}", json)


def restored(json: Json = False) -> None:
    """Make a restored backup a deployment of its own: run it once, before its processes start.

    Followers and open pages begin anew, since numbers are used again; a copy never meets its original.
    """
    from db.log.deployment import begin_anew

    logs = begin_anew()
    print_one({"logs": logs}, f"{logs} logs have a new epoch; start the deployment's processes now", json)


def export(tenant: TenantOption = None) -> None:
    """Write a tenant's log to standard output, one JSON object a line.

    `verify --export` verifies it anywhere, without the database.
    """
    from feed.export import export as lines

    for line in lines(id_of(tenant)):
        sys.stdout.buffer.write(line)
