"""`activity enrich`: ask for passes, and see what they cost and how the providers are doing."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from activity.errors import ActivityError
from cli.output import Json, print_json, print_one
from cli.workspace import TenantOption, resolve, workspace

if TYPE_CHECKING:
    from db.enrichment.providers import ProviderState

enrichment = typer.Typer(no_args_is_help=True, help="What enrichment costs, and how its providers are doing.")


def enrich(
    records: Annotated[
        list[str] | None, typer.Argument(help="Ids of accounts, or of contacts with --kind contact.")
    ] = None,
    tenant: TenantOption = None,
    kind: Annotated[Literal["account", "contact"], typer.Option(help="What the ids are of.")] = "account",
    field: Annotated[
        list[str] | None,
        typer.Option(help="A wanted field; may be repeated. Default: all that are configured."),
    ] = None,
    ids_file: Annotated[
        Path | None,
        typer.Option("--file", help="A file with one id a line; many passes wait behind the urgent ones."),
    ] = None,
    by: Annotated[str, typer.Option(help="Who asks: an e-mail address.")] = "system",
    json: Json = False,
) -> None:
    """Ask for a pass over each record; one that is in flight already is joined."""
    from producers.enrichment import Priority, ask_all

    ids = [*(records or []), *(_lines(ids_file) if ids_file else [])]
    if not ids:
        raise ActivityError("name the records to enrich, or give --file")
    with workspace(tenant) as (session, number):
        asked = ask_all(
            session, number, kind, ids, field, priority=Priority.IMPORT if ids_file else Priority.NOW, by=by
        )
    print_one(asked, f"{len(asked)} passes asked for", json)


def _lines(path: Path) -> list[str]:
    try:
        return [line.strip() for line in path.read_text().splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise ActivityError(f"{path}: {error}") from None


@enrichment.command()
def providers(json: Json = False) -> None:
    """Show how each provider is doing, and whether its circuit breaker is open."""
    from db.engine import begin
    from db.enrichment import providers as stored

    with begin("reader") as session:
        states = stored.states(session)
    if json:
        print_json([state._asdict() for state in states])
        return
    for state in states:
        typer.echo(_line(state))


def _line(provider: "ProviderState") -> str:
    breaker = f"open until {provider.open_until:%H:%M:%S}" if provider.open_until else "closed"
    failures = f"{provider.failures} failures in a row"
    return f"{provider.name:<20} {breaker:<20} {failures}  {provider.reason or ''}"


@enrichment.command()
def spend(tenant: TenantOption = None, json: Json = False) -> None:
    """Show what a workspace has spent on enrichment this month."""
    from datetime import UTC, datetime

    from db.engine import begin
    from db.enrichment import ledger
    from producers.enrichment.configuration import configuration

    found = resolve(tenant)
    with begin("reader", found.id) as session:
        spent = ledger.spend(session, found.id, datetime.now(UTC).date().replace(day=1))
    config = configuration()
    figures = {**spent._asdict(), "budget": config.budget.of(found.slug), "currency": config.currency}
    print_one(figures, ", ".join(f"{name} {value}" for name, value in figures.items()), json)
