"""`activity suppression` and `activity consent`: the ledger of who may not be written to."""

from typing import TYPE_CHECKING, Annotated

import typer

from cli.output import Json, print_each, print_one
from cli.workspace import TenantOption, resolve, workspace

if TYPE_CHECKING:
    from db.mail.suppression import Reason, Suppression
    from producers.mail.suppressions import ByHand

suppressions = typer.Typer(
    no_args_is_help=True,
    help="Addresses and domains that nothing is sent to: listed, explained, added, lifted, imported.",
)
consents = typer.Typer(
    no_args_is_help=True, help="Whether a person agreed to mail, as they told somebody: given, withdrawn."
)

Target = Annotated[str, typer.Argument(help="An address, or a domain with all beneath it.")]
Address = Annotated[str, typer.Argument(help="The address.")]
By = Annotated[str, typer.Option(help="Who does it: a user's e-mail address.")]
Note = Annotated[str | None, typer.Option(help="Why, in words.")]
_REASONS = "hard_bounce, soft_bounces, invalid_address, complaint, unsubscribed or manual"


@suppressions.command("list")
def list_(
    tenant: TenantOption = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many at the most.")] = 100,
    before: Annotated[int | None, typer.Option(help="Go on after the entry with this number.")] = None,
    json: Json = False,
) -> None:
    """List the suppressions that count, the newest first."""
    from db.mail import suppression

    with workspace(tenant) as (session, number):
        print_each(suppression.list_standing(session, number, limit, before), _line, json)


@suppressions.command()
def explain(address: Target, tenant: TenantOption = None, json: Json = False) -> None:
    """Say whether an address may be written to, and show all that was recorded of it, the newest first."""
    from db.mail import suppression

    with workspace(tenant) as (session, number):
        standing = suppression.check(session, number, address)
        history = suppression.history(session, number, address)
    known: dict[str, object] = {"target": suppression.key(address), "refusal": standing.refusal()}
    words = f"{known['target']}: {known['refusal'] or 'may be written to'}"
    consent = {None: "no consent is known", True: "consent was given", False: "consent was withdrawn"}
    print_one(
        known | {"consent": standing.consent, "history": [one._asdict() for one in history]},
        "\n".join([f"{words}; {consent[standing.consent]}", *map(_line, history)]),
        json,
    )


@suppressions.command()
def add(
    targets: Annotated[list[str], typer.Argument(help="Addresses, or domains with all beneath them.")],
    by: By,
    reason: Annotated[str, typer.Option(help=f"{_REASONS}.")] = "manual",
    note: Note = None,
    tenant: TenantOption = None,
    json: Json = False,
) -> None:
    """Suppress addresses and domains: nothing is sent to them until that is lifted."""
    from producers.mail.suppressions import suppress

    with workspace(tenant) as (session, number):
        new = suppress(session, number, targets, _reason(reason), _hand(by, note))
    print_one({"new": new}, f"{new} suppressed; {len(targets) - new} were already, for this reason", json)


@suppressions.command()
def lift(
    target: Target,
    by: By,
    reason: Annotated[
        list[str] | None, typer.Option(help=f"Only this reason: {_REASONS}. Can be repeated.")
    ] = None,
    note: Note = None,
    tenant: TenantOption = None,
    json: Json = False,
) -> None:
    """Allow mail to an address or a domain again. Consent that was withdrawn stays so."""
    from db.mail import suppression
    from producers.mail.suppressions import lift

    reasons = [_reason(one) for one in reason or suppression.REASONS]
    with workspace(tenant) as (session, number):
        lifted = lift(session, number, target, _hand(by, note), reasons)
        refusal = suppression.check(session, number, target).refusal()
    still = f"; it is still not written to: {refusal}" if refusal else ""
    print_one(
        {"lifted": lifted, "refusal": refusal},
        f"lifted: {', '.join(lifted).replace('_', ' ')}{still}",
        json,
    )


@suppressions.command("import")
def import_(
    file: Annotated[
        typer.FileText,
        typer.Argument(
            help="One address a line, or CSV; - reads standard input.", encoding="utf-8-sig", errors="replace"
        ),
    ],
    by: By,
    reason: Annotated[str, typer.Option(help=f"{_REASONS}.")] = "manual",
    note: Note = None,
    tenant: TenantOption = None,
    json: Json = False,
) -> None:
    """Suppress a list of addresses and domains. It is checked whole first; a repeat adds nothing."""
    from db.engine import begin
    from producers.mail.suppressions import parts, read_list, suppress

    targets, why, hand = read_list(file), _reason(reason), _hand(by, note, way=f"import of {file.name}")
    number, new = resolve(tenant).id, 0
    for part in parts(targets):
        with begin("producer", number) as session:
            new += suppress(session, number, part, why, hand)
    print_one(
        {"new": new, "standing": len(targets) - new},
        f"{new} suppressed; {len(targets) - new} were already, for this reason",
        json,
    )


@consents.command()
def give(address: Address, by: By, note: Note = None, tenant: TenantOption = None) -> None:
    """Record that a person agreed to mail; it lifts their unsubscription, and nothing else."""
    _set_consent(address, _hand(by, note), tenant, granted=True)


@consents.command()
def withdraw(address: Address, by: By, note: Note = None, tenant: TenantOption = None) -> None:
    """Record that a person wants no more mail; they are suppressed as if they had unsubscribed."""
    _set_consent(address, _hand(by, note), tenant, granted=False)


def _set_consent(address: str, hand: "ByHand", tenant: str | None, *, granted: bool) -> None:
    from db.mail import suppression
    from producers.mail.suppressions import set_consent

    with workspace(tenant) as (session, number):
        new = set_consent(session, number, address, granted, hand)
        refusal = suppression.check(session, number, address).refusal()
    typer.echo(f"{'recorded' if new else 'known already'}; {address}: {refusal or 'may be written to'}")


def _reason(given: str) -> "Reason":
    from db.mail.suppression import REASONS

    for reason in REASONS:
        if given == reason:
            return reason
    raise typer.BadParameter(f"{given!r} is no reason: give {_REASONS}")


def _hand(by: str, note: str | None, way: str = "cli") -> "ByHand":
    from producers.mail.suppressions import ByHand

    return ByHand(by, way[:320], note)


def _line(one: "Suppression") -> str:
    ended = f"  lifted {one.lifted_at:%Y-%m-%d %H:%M}Z by {one.lifted_by}" if one.lifted_at else ""
    return (
        f"{one.id}  {one.added_at:%Y-%m-%d %H:%M}Z  {one.target}  {one.reason.replace('_', ' ')}"
        f"  from {one.source}, {one.actor}{f'  {one.note}' if one.note else ''}{ended}"
    )
