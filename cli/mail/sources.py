"""`activity source`: where reports on mail come from: providers' webhooks, and mailboxes that are read."""

import secrets
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.output import Json, print_each, print_json, print_one
from cli.workspace import TenantOption, resolve, workspace

if TYPE_CHECKING:
    from db.mail.unreadable import MailSetAside
    from producers.mail.inbound.imap import ImapMailbox

sources = typer.Typer(
    no_args_is_help=True,
    help="Webhooks of e-mail providers, and mailboxes to read: added, listed, rotated, removed.",
)

Secret = Annotated[
    str | None,
    typer.Option(
        envvar="ACTIVITY_SOURCE_SECRET",
        help="What proves a request; '-' reads it from standard input. Its forms are in docs/webhooks.md.",
    ),
]
SourceId = Annotated[str, typer.Argument(help="The id that `activity source list` shows.")]


@sources.command()
def add(
    provider: Annotated[
        str,
        typer.Argument(
            help="sendgrid, ses, mailgun, postmark, resend, standardwebhooks, ...; imap for a mailbox."
        ),
    ],
    tenant: TenantOption = None,
    secret: Secret = None,
    id: Annotated[
        str | None,
        typer.Option(
            help="The source's id in its address: 3 to 64 of A-Z, a-z, 0-9, _ and -. Default: a random one."
        ),
    ] = None,  # the option's name
    name: Annotated[str, typer.Option(help="For people.")] = "",
    unsigned: Annotated[
        bool,
        typer.Option(help="Take requests without any proof: whoever knows the address can invent events."),
    ] = False,
    tolerance: Annotated[
        int, typer.Option(min=0, max=604_800, help="Seconds that a request may be old; 0: any.")
    ] = 300,
    url: Annotated[
        str | None,
        typer.Option(help="mandrill: the address as entered there. imap: imaps://USER@HOST/FOLDER."),
    ] = None,
    json: Json = False,
) -> None:
    """Add a source and show the address to enter at the provider."""
    from db.mail import sources as mail

    if (secret is None) != unsigned:
        raise typer.BadParameter("give --secret, or say --unsigned; not both")
    public_id = id or secrets.token_hex(16)
    secret_text = _read(secret)
    mailbox = _checked(provider, secret_text, public_id, url)
    with workspace(tenant) as (session, number):
        mail.add(
            session,
            number,
            provider,
            public_id,
            name=name,
            secret=secret_text,
            tolerance_s=tolerance,
            url=url,
            mailbox=mailbox,
        )
    _show(provider, public_id, json)


@sources.command("list")
def list_(tenant: TenantOption = None, json: Json = False) -> None:
    """List the sources: when each last reported, and what it reported that is not known.

    Secrets are not shown.
    """
    from db.mail import reports
    from db.mail import sources as mail

    with workspace(tenant) as (session, number):
        found, unknown = mail.list_all(session, number), reports.unknown_kinds(session, number)
    rows: list[dict[str, object]] = [
        {
            "id": one.public_id,
            "provider": one.provider,
            "name": one.name,
            "path": _path(one.provider, one.public_id),
            "proof": "none" if one.unsigned else f"{len(one.secrets)} secrets",
            "tolerance_s": one.tolerance_s,
            "heard_at": one.last_received_at,
            "failure": one.failure,
            "unknown": {kind: count for id_, kind, count in unknown if id_ == one.public_id},
        }
        for one in found
    ]
    if json:
        print_json(rows)
        return
    for row in rows:
        typer.echo(_source_line(row))


def _source_line(row: Mapping[str, Any]) -> str:
    at, failure = row["heard_at"], row["failure"]
    counts = ", ".join(f"{count} {kind}" for kind, count in row["unknown"].items())
    return (
        f"{row['path']}  {row['name']}  proof: {row['proof']}  "
        + (f"last report {at:%Y-%m-%d %H:%M}Z" if at else "nothing received yet")
        + (f"  unknown: {counts}" if counts else "")
        + (f"  failed: {failure}" if failure else "")
    )


@sources.command()
def rotate(
    source_id: SourceId,
    tenant: TenantOption = None,
    secret: Secret = None,
    overlap: Annotated[float, typer.Option(min=0, help="Hours that the old secret is still taken.")] = 24,
) -> None:
    """Add a new secret beside the old one, which ends after the overlap."""
    from db.mail import sources as mail

    secret_text = _read(secret)
    if not secret_text:
        raise typer.BadParameter("give the new secret with --secret")
    with workspace(tenant) as (session, number):
        mail.rotate(session, number, source_id, secret_text, int(overlap * 3600))
    typer.echo(f"source {source_id} takes the new secret; the old one for {overlap:g} hours more")


@sources.command()
def remove(source_id: SourceId, tenant: TenantOption = None) -> None:
    """Remove a source: from now on its address answers 404. What it reported stays."""
    from db.mail import sources as mail

    with workspace(tenant) as (session, number):
        mail.remove(session, number, source_id)
    typer.echo(f"source {source_id} is removed")


@sources.command("unreadable")
def unreadable_(
    mail_id: Annotated[
        int | None, typer.Argument(help="The number of a mail: print it as it came. Default: list them.")
    ] = None,
    tenant: TenantOption = None,
    json: Json = False,
) -> None:
    """List the mails that could not be read, with the reason; or print one of them."""
    from db.mail import unreadable

    with workspace(tenant) as (session, number):
        if mail_id is None:
            print_each(unreadable.list_all(session, number), _unreadable_line, json)
            return
        raw = unreadable.raw(session, number, mail_id)
    if raw is None:
        raise typer.BadParameter(f"no unreadable mail has the number {mail_id}")
    sys.stdout.buffer.write(raw)


def _unreadable_line(mail: "MailSetAside") -> str:
    return f"{mail.id}  {mail.received_at:%Y-%m-%d %H:%M}Z  {mail.source}  {mail.size} bytes  {mail.reason}"


def _checked(provider: str, secret: str | None, public_id: str, url: str | None) -> "ImapMailbox | None":
    """Refuse what could never work; return a mailbox's parts."""
    import re

    from producers.mail.inbound.imap import mailbox_of
    from producers.mail.webhooks.registry import CREDENTIALS, PROVIDERS

    if not re.fullmatch("[A-Za-z0-9_-]{3,64}", public_id):
        raise typer.BadParameter("an id has 3 to 64 of A-Z, a-z, 0-9, _ and -")
    if provider == "imap":
        return mailbox_of(url or "")
    known = PROVIDERS.get(provider)
    if known is None:
        raise typer.BadParameter(f"no provider {provider!r}: imap, {', '.join(PROVIDERS)}")
    if known.verify is None and secret is not None and not secret.startswith(CREDENTIALS):
        raise typer.BadParameter(known.secret)
    return None


def _read(secret: str | None) -> str | None:
    return sys.stdin.read().strip() if secret == "-" else secret  # noqa: S105  # means standard input


def _path(provider: str, public_id: str) -> str:
    return f"imap {public_id}" if provider == "imap" else f"/v1/webhooks/{provider}/{public_id}"


def _show(provider: str, public_id: str, json: bool) -> None:
    from activity.settings import settings

    path = _path(provider, public_id)
    address = settings().required("public_url").rstrip("/") + path
    if json:
        print_json({"id": public_id, "provider": provider, "path": path, "url": address})
    elif provider == "imap":
        typer.echo(f"mailbox {public_id} is read from now on")
    else:
        typer.echo(address)


def classify(tenant: TenantOption = None, json: Json = False) -> None:
    """Judge every open and click anew by today's rules.

    A verdict that differs is appended as event.classified.
    """
    from collections import Counter

    from producers.mail.reclassify import judge_all

    total: Counter[str] = Counter(judged=0, changed=0)
    for part in judge_all(resolve(tenant).id):
        total += part
    figures = {"judged": total["judged"], "changed": total["changed"]}
    print_one(figures, f"{total['judged']} judged, {total['changed']} changed", json)
