"""`activity sequence` and `activity mailbox`: what is sent to whom, and from where; see docs/sequences.md."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from activity.errors import ActivityError
from cli.errors import FINDING
from cli.output import Json, print_each, print_json
from cli.workspace import TenantOption, workspace

sequence = typer.Typer(
    no_args_is_help=True,
    help="Steps of mail that contacts go through: added, enrolled in, paused, and where they stand.",
)
mailbox = typer.Typer(
    no_args_is_help=True, help="The mailboxes that sequences send from, with their servers and limits."
)

Name = Annotated[str, typer.Argument(help="The sequence, by name or id.")]
Address = Annotated[str, typer.Argument(help="The mailbox's address.")]
Actor = Annotated[str, typer.Option(help="Who does it: a user's e-mail address.")]


@sequence.command("add")
def add_sequence(
    file: Annotated[
        Path,
        typer.Argument(help="The definition: TOML, or JSON.", exists=True, dir_okay=False, readable=True),
    ],
    tenant: TenantOption = None,
    actor: Actor = "system",
    json: Json = False,
) -> None:
    """Check a definition and keep it as its sequence's next version.

    Those enrolled keep the one they started with.
    """
    from db.sequences import mailboxes, sequences
    from producers.sequences.definition import read

    definition = read(file.read_text(encoding="utf-8"), "json" if file.suffix == ".json" else "toml")
    with workspace(tenant) as (session, number):
        box = mailboxes.find(session, number, definition.mailbox)
        saved = sequences.save(session, number, definition.name, box, definition.json, actor)
    print_each([saved._asdict()], _line, json)


@sequence.command("list")
def list_sequences(tenant: TenantOption = None, json: Json = False) -> None:
    """List the sequences."""
    from db.sequences import sequences

    with workspace(tenant) as (session, number):
        found = sequences.list_all(session, number)
    print_each((one._asdict() for one in found), _line, json)


@sequence.command()
def enroll(
    name: Name,
    contacts: Annotated[list[str] | None, typer.Argument(help="Contacts, by id.")] = None,
    file: Annotated[
        Path | None,
        typer.Option(help="A file with a contact's id on each line.", exists=True, dir_okay=False),
    ] = None,
    refuse: Annotated[
        bool, typer.Option("--refuse", help="Enroll none if one of them is or was enrolled.")
    ] = False,
    tenant: TenantOption = None,
    actor: Actor = "system",
    json: Json = False,
) -> None:
    """Enroll contacts; who is or was enrolled is left as they are."""
    from db.sequences import sequences
    from producers.sequences import enroll_many

    wanted = list(dict.fromkeys([*(contacts or ()), *(file.read_text().split() if file else ())]))
    with workspace(tenant) as (session, number):
        made = enroll_many(session, number, sequences.find(session, number, name).id, wanted, by=actor)
        if refuse and len(made) < len(wanted):
            missing = sorted(set(wanted) - {one.contact_id for one in made})
            raise ActivityError(
                f"enrolled before, or no contact: {', '.join(missing[:10])}; nobody was enrolled"
            )
    print_each([{"enrolled": len(made), "left": len(wanted) - len(made)}], _line, json)


@sequence.command("pause")
def pause_sequence(name: Name, tenant: TenantOption = None) -> None:
    """Pause a sequence: nothing of it is sent until it is resumed."""
    _set_paused(name, tenant, paused=True)


@sequence.command("resume")
def resume_sequence(name: Name, tenant: TenantOption = None) -> None:
    """Let a paused sequence go on."""
    _set_paused(name, tenant, paused=False)


def _set_paused(name: str, tenant: str | None, *, paused: bool) -> None:
    from db.sequences import sequences

    with workspace(tenant) as (session, number):
        sequences.set_paused(session, number, sequences.find(session, number, name).id, paused)


@sequence.command()
def preview(
    name: Name,
    contact: Annotated[str, typer.Argument(help="The contact, by id.")],
    tenant: TenantOption = None,
    json: Json = False,
) -> None:
    """Show a sequence's mails as a contact would get them now, with what a person should look at.

    Nothing is sent.
    """
    from producers.sequences.rehearsal import preview

    with workspace(tenant) as (session, number):
        found = preview(session, number, name, contact)
    if json:
        print_json(found._asdict() | {"mails": [mail._asdict() for mail in found.mails]})
        return
    typer.echo(f"to {found.recipient or 'nobody'}" + (f"; now {found.refusal}" if found.refusal else ""))
    for mail in found.mails:
        typer.echo(f"\n--- step {mail.step}, variant {mail.variant}: {mail.problem or mail.subject}")
        for warning in mail.warnings:
            typer.echo(f"!   {warning}")
        typer.echo(mail.text)


@sequence.command("test-send")
def send_test(
    name: Name,
    contact: Annotated[str, typer.Argument(help="The contact whose mail it is, by id.")],
    to: Annotated[str, typer.Option(help="The address that gets it: your own.")],
    step: Annotated[int, typer.Option(min=1, help="Which step's mail.")] = 1,
    tenant: TenantOption = None,
) -> None:
    """Send one mail of a sequence, as a contact would get it, to yourself. It counts as nobody's mail."""
    from producers.sequences.rehearsal import send_trial

    with workspace(tenant) as (session, number):
        typer.echo(send_trial(session, number, name, contact, step, to))


@sequence.command()
def status(
    name: Annotated[
        str | None, typer.Argument(help="The sequence, by name or id. Default: all of them.")
    ] = None,
    unknown: Annotated[
        bool,
        typer.Option("--unknown", help="List the mails of which nobody can know whether they were sent."),
    ] = False,
    tenant: TenantOption = None,
    json: Json = False,
) -> None:
    """Show how many enrollments and mails are where, and why."""
    from db.sequences import messages, sequences

    with workspace(tenant) as (session, number):
        if unknown:
            print_each((one._asdict() for one in messages.list_unknown(session, number)), _line, json)
        else:
            which = None if name is None else sequences.find(session, number, name).id
            print_each((one._asdict() for one in sequences.status(session, number, which)), _line, json)


@sequence.command()
def settle(
    message_id: Annotated[
        str, typer.Argument(help="The mail's Message-ID, as `activity sequence status --unknown` shows it.")
    ],
    sent: Annotated[
        bool, typer.Option("--sent/--not-sent", help="Whether the mail server took it: its log knows.")
    ],
    by: Annotated[str, typer.Option(help="Who found out: an e-mail address.")],
    tenant: TenantOption = None,
) -> None:
    """Say whether a mail was sent of which nobody could know.

    It is not sent again; the timeline says so either way.
    """
    from producers.sequences import operate

    with workspace(tenant) as (session, number):
        message = operate.settle(session, number, message_id, sent=sent, by=by)
    typer.echo(f"{message.message_id} to {message.recipient}: {'sent' if sent else 'not sent'}")


@mailbox.command("add")
def add_mailbox(
    address: Address,
    host: Annotated[str, typer.Option(help="Its mail server.")],
    port: Annotated[
        int, typer.Option(min=1, max=65535, help="Its port: 465 with tls, 587 with starttls.")
    ] = 465,
    security: Annotated[
        Literal["tls", "starttls", "none"], typer.Option(help="How the connection is protected.")
    ] = "tls",
    username: Annotated[
        str | None, typer.Option(help="The login; its password is in ACTIVITY_SMTP_PASSWORDS.")
    ] = None,
    name: Annotated[str, typer.Option(help="The sender's name, as recipients see it.")] = "",
    zone: Annotated[str, typer.Option(help="Its time zone, such as Europe/Berlin.")] = "UTC",
    per_minute: Annotated[
        int | None, typer.Option(min=1, max=1000, help="Mails in any 60 seconds at the most.")
    ] = None,
    per_day: Annotated[int | None, typer.Option(min=1, help="Mails on one of its days at the most.")] = None,
    spacing: Annotated[
        float, typer.Option(min=0, max=86400, help="Seconds between two mails at the least.")
    ] = 0,
    jitter: Annotated[
        float, typer.Option(min=0, max=1, help="The share of the spacing that chance adds.")
    ] = 0.3,
    tenant: TenantOption = None,
    json: Json = False,
) -> None:
    """Add a mailbox, or change the one with this address."""
    from db.sequences import mailboxes
    from producers.sequences.mail import deliverable
    from producers.sequences.sending.window import known_zone
    from producers.sequences.tracking import check_reachable

    deliverable(address)
    if not known_zone(zone):
        raise ActivityError(f"--zone: {zone!r} is no time zone; write one such as Europe/Berlin")
    made = mailboxes.NewMailbox(
        address, name, host, port, security, username, zone, per_minute, per_day, spacing, jitter
    )
    with workspace(tenant) as (session, number):
        id_ = mailboxes.add(session, number, made)
    try:
        check_reachable(host)
    except ActivityError as error:  # told, not refused: the worker that holds such mails may know better
        typer.echo(f"activity: {error}", err=True)
    print_each([{"id": id_, **made._asdict()}], _line, json)


@mailbox.command("list")
def list_mailboxes(tenant: TenantOption = None, json: Json = False) -> None:
    """List the mailboxes with their limits, and why one is paused."""
    from db.sequences import mailboxes

    with workspace(tenant) as (session, number):
        found = mailboxes.list_all(session, number)
    print_each((one._asdict() for one in found), _line, json)


@mailbox.command("check")
def check_mailbox(
    address: Address,
    selector: Annotated[
        str | None, typer.Option(help="The selector by which the relay signs, to look for its DKIM key.")
    ] = None,
    tenant: TenantOption = None,
    json: Json = False,
) -> None:
    """Check what the DNS says of a mailbox's domain and mail server. Exit code 1: something is missing."""
    from db.sequences import limits, mailboxes
    from producers.sequences.rehearsal import check_domain

    with workspace(tenant) as (session, number):
        box = limits.read_mailbox(session, mailboxes.find(session, number, address))
    findings = check_domain(box.address, box.host, selector)
    print_each(findings, lambda one: f"{'ok  ' if one.good else '!   '}{one.what}: {one.words}", json)
    if not all(one.good for one in findings):
        raise typer.Exit(FINDING)


@mailbox.command("pause")
def pause_mailbox(
    address: Address,
    reason: Annotated[str, typer.Option(help="Why, in words.")] = "by hand",
    tenant: TenantOption = None,
) -> None:
    """Stop sending from a mailbox until it is resumed."""
    from db.sequences import mailboxes

    with workspace(tenant) as (session, number):
        mailboxes.pause(session, number, mailboxes.find(session, number, address), reason)


@mailbox.command("resume")
def resume_mailbox(address: Address, tenant: TenantOption = None) -> None:
    """Let a paused mailbox send again."""
    from db.sequences import mailboxes

    with workspace(tenant) as (session, number):
        mailboxes.resume(session, number, mailboxes.find(session, number, address))


@mailbox.command()
def limit(
    per_minute: Annotated[
        int | None, typer.Option(min=1, max=1000, help="Mails in any 60 seconds at the most.")
    ] = None,
    per_day: Annotated[int | None, typer.Option(min=1, help="Mails on one day, in UTC, at the most.")] = None,
    tenant: TenantOption = None,
) -> None:
    """Set what all mailboxes of a workspace may send together; an option left out is no limit."""
    from db.sequences import mailboxes

    with workspace(tenant) as (session, number):
        mailboxes.limit_workspace(session, number, per_minute, per_day)


def _line(row: dict[str, Any]) -> str:
    return "  ".join(f"{name}={_shown(value)}" for name, value in row.items() if value not in (None, ""))


def _shown(value: object) -> str:
    return value.isoformat(timespec="seconds") if isinstance(value, datetime) else str(value)
