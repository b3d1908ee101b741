"""`activity checkpoint`, `checkpoint-key` and `witness`: places in the log that are kept elsewhere."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from activity.errors import ActivityError
from cli.output import Json, print_json, print_one
from cli.workspace import TenantOption, resolve

if TYPE_CHECKING:
    from feed.verify import Checkpoint

    Known: TypeAlias = dict[int, list[Checkpoint]]

Tenants = Annotated[
    list[str] | None,
    typer.Option(
        "--tenant", "-t", help="Only this tenant, by slug or id; may be repeated. Default: every tenant."
    ),
]


def checkpoint(
    tenant: Tenants = None,
    signed: Annotated[bool, typer.Option("--signed", help="The newest signed one of one log.")] = False,
) -> None:
    """Print a checkpoint of each log, to store outside the database.

    `verify --checkpoint` proves that nothing before it changed.
    """
    from feed.verify import checkpoints

    if signed:
        typer.echo(_newest(id_of(tenant[0] if tenant else None)), nl=False)
    else:
        print_json(checkpoints(ids_of(tenant) if tenant else None))


def _newest(tenant: int) -> str:
    from db.engine import begin
    from db.log import tree

    with begin("auditor") as session:
        note = tree.checkpoint(session, tenant)
    if note is None:
        raise ActivityError(f"workspace {tenant} has no signed checkpoint: is ACTIVITY_CHECKPOINT_KEYS set?")
    return note


def checkpoint_key(
    name: Annotated[
        str | None, typer.Argument(help="The log's name: an address of yours, such as timeline.example.com.")
    ] = None,
    tenant: TenantOption = None,
    json: Json = False,
) -> None:
    """Make a key that signs checkpoints.

    Without a name: print by which keys the checkpoints of a log are verified.
    """
    from activity.proof.note import new_signer
    from producers.log.checkpoints import verifiers

    lines = [new_signer(name).secret()] if name else [str(one) for one in verifiers(id_of(tenant))]
    print_one(lines, "\n".join(lines), json)


def witness(
    note: Annotated[Path, typer.Argument(help="A checkpoint of ours with the witness's signature under it.")],
    key: Annotated[list[str], typer.Option(help="The witness's key, as name+id+key; may be repeated.")],
) -> None:
    """Keep a witness's signature under a checkpoint, so that everybody who asks for it has it as well."""
    from activity.proof.note import Verifier
    from producers.log.checkpoints import take_witnessed

    for one in take_witnessed(_text(note), [Verifier.read(line) for line in key]):
        typer.echo(f"signed by {one.name}")


def read_checkpoints(path: Path | None, keys: list[str]) -> "Known":
    """Return the checkpoints of a file or folder, by workspace. Raises ActivityError where one is none."""
    if path is None:
        return {}
    known: Known = {}
    files = sorted(path.rglob("*.note")) if path.is_dir() else [path]
    for one in (place for file in files for place in _places(file, keys)):
        known.setdefault(one.tenant_id, []).append(one)
    return known


def _places(file: Path, keys: list[str]) -> "list[Checkpoint]":
    import msgspec

    from activity.proof.note import InvalidNote, SignedPlace, Verifier
    from feed.verify import Checkpoint
    from producers.log.checkpoints import verifiers

    text = _text(file)
    try:
        if text.startswith("["):
            return msgspec.json.decode(text, type=list[Checkpoint])
        tenant = SignedPlace.of_note(text).tenant_id()
        return [Checkpoint.of_note(text, [Verifier.read(key) for key in keys] or verifiers(tenant))]
    except (InvalidNote, msgspec.DecodeError) as error:
        raise ActivityError(f"{file} is not a checkpoint: {error}") from None


def _text(file: Path) -> str:
    try:
        return file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise ActivityError(f"{file} is not a checkpoint file: {error}") from None


def ids_of(tenants: list[str]) -> list[int]:
    """Return the ids of the tenants named."""
    return [id_of(one) for one in tenants]


def id_of(tenant: str | None) -> int:
    """Return the id of a tenant. An id is used as it is: an auditor need not have the producer's password."""
    return int(tenant) if tenant is not None and tenant.isdigit() else resolve(tenant).id
