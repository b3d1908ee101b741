"""`activity key`: API keys of a workspace."""

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from cli.output import Json, print_json
from cli.workspace import TenantOption, workspace

if TYPE_CHECKING:
    from db.access import ApiKey

keys = typer.Typer(no_args_is_help=True, help="API keys of a workspace: made, rotated, revoked, listed.")


@keys.command()
def add(
    name: Annotated[
        str,
        typer.Argument(help="What the key is for, such as 'web shop'. It stays the same through rotations."),
    ],
    tenant: TenantOption = None,
    scope: Annotated[
        list[str] | None,
        typer.Option(
            help="read, write (events, notes, calls), records, contents (of e-mails that are not for "
            "everyone); may be repeated. Default: read."
        ),
    ] = None,
    actor: Annotated[
        str, typer.Option(help="Who acts where a request names nobody: an e-mail address.")
    ] = "system",
    json: Json = False,
) -> None:
    """Make a key and show it: this once, since only its hash is kept."""
    from activity.validation import check_actor
    from db import access

    scopes = set(scope or ["read"])
    if not scopes <= set(access.SCOPES):
        raise typer.BadParameter(f"scopes are {', '.join(access.SCOPES)}")
    check_actor(actor)
    key = access.new_key()
    with workspace(tenant) as (session, number):
        made = access.add_key(session, number, key, name, scopes, actor)
    _show_once(made, key, json)


@keys.command()
def rotate(
    key_id: Annotated[int, typer.Argument(help="The id that `activity key list` shows.")],
    tenant: TenantOption = None,
    overlap: Annotated[float, typer.Option(min=0, help="Hours that the old key still works.")] = 24,
    json: Json = False,
) -> None:
    """Make a new key in place of an old one and show it: this once."""
    from db import access

    key = access.new_key()
    with workspace(tenant) as (session, number):
        made = access.rotate_key(session, number, key_id, key, timedelta(hours=overlap))
    _show_once(made, key, json)


@keys.command()
def revoke(
    key_id: Annotated[int, typer.Argument(help="The id that `activity key list` shows.")],
    tenant: TenantOption = None,
) -> None:
    """End a key; every server refuses it within seconds."""
    from db import access

    with workspace(tenant) as (session, number):
        ended = access.revoke_key(session, number, key_id)
    typer.echo(f"key {ended.id} ({ended.name}) is revoked")


@keys.command("list")
def list_(tenant: TenantOption = None, json: Json = False) -> None:
    """List a workspace's keys, with when each was last used."""
    from db import access

    with workspace(tenant) as (session, number):
        found = access.list_keys(session, number)
    if json:
        print_json([key._asdict() for key in found])
        return
    for key in found:
        ended = (
            "revoked"
            if key.revoked_at
            else f"ends {key.expires_at:%Y-%m-%d %H:%M}Z"
            if key.expires_at
            else "live"
        )
        used = f"used {key.last_used_at:%Y-%m-%d %H:%M}Z" if key.last_used_at else "never used"
        typer.echo(f"{key.id:>6}  {key.name:<24} {','.join(key.scopes):<20} {ended:<22} {used}")


def _show_once(made: "ApiKey", key: str, json: bool) -> None:
    if json:
        print_json({**made._asdict(), "key": key})
        return
    typer.echo(f"key {made.id} ({made.name}) may {', '.join(made.scopes)}; it is shown this once:", err=True)
    typer.echo(key)


emitters = typer.Typer(no_args_is_help=True, help="Logins of PostgreSQL that may emit, and nothing else.")
Login = Annotated[str, typer.Argument(help="A login that is a member of activity_emitter.")]


@emitters.command("allow")
def allow_emitter(login: Login, tenant: TenantOption = None) -> None:
    """Let a login emit for one workspace.

    Make it before: `create role LOGIN login password '...' in role activity_emitter`.
    """
    from db.log import emitters as logins

    with workspace(tenant) as (session, number):
        logins.allow(session, number, login)
    typer.echo(f"{login} may emit for this workspace")


@emitters.command("forbid")
def forbid_emitter(login: Login, tenant: TenantOption = None) -> None:
    """Take that right back, from the login's next statement on."""
    from db.log import emitters as logins

    with workspace(tenant) as (session, number):
        had_it = logins.forbid(session, number, login)
    typer.echo(f"{login} may emit no more" if had_it else f"{login} could not emit for this workspace")


@emitters.command("list")
def list_emitters(tenant: TenantOption = None, json: Json = False) -> None:
    """List the logins that may emit for the workspace."""
    from db.log import emitters as logins

    with workspace(tenant) as (session, number):
        found = logins.list_all(session, number)
    if json:
        print_json([one._asdict() for one in found])
        return
    for one in found:
        typer.echo(f"{one.login}  since {one.created_at:%Y-%m-%d %H:%M}Z")
