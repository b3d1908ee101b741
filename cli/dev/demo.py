"""`activity demo`: a small workspace to look at, and one that lives."""

from typing import Annotated

import typer

SLUG = "demo"


def demo(
    tenant: Annotated[
        str, typer.Option("--tenant", "-t", help="The workspace's slug; it is made if it is not there.")
    ] = SLUG,
    live: Annotated[
        bool, typer.Option("--live", help="Then say an event every few seconds, until Ctrl-C.")
    ] = False,
    every: Annotated[
        float, typer.Option(min=0.05, max=3600, help="Seconds between two live events, about.")
    ] = 4.0,
) -> None:
    """Write the demo workspace: accounts in a hierarchy, contacts, deals, ninety days of history.

    A repeat adds nothing.
    """
    from activity.catalogue import summarise
    from db.engine import begin
    from db.records import records
    from producers.demo import live as demonstration

    with begin("producer") as session:
        made = records.make_tenant(session, tenant, "Demo" if tenant == SLUG else tenant)
    typer.echo(f"{demonstration.write(made.id)} events of history said to the tenant {made.slug}")
    try:
        for event in demonstration.live(made.id, every) if live else ():
            typer.echo(f"{event.type}: {summarise(event.type, event.version, event.payload)}")
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


if __name__ == "__main__":
    typer.run(demo)
