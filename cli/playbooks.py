"""`activity playbook`: plays that run when the timeline says so; see docs/playbooks.md."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from activity.errors import ActivityError
from cli.errors import FINDING
from cli.output import Json, print_json, print_one
from cli.workspace import TenantOption, resolve, workspace

if TYPE_CHECKING:
    from activity.event import RecordedEvent
    from producers.playbooks.definition.program import Program
    from producers.playbooks.operate import Act

playbooks = typer.Typer(
    no_args_is_help=True,
    help="Plays that run when the timeline says so: added, tried, enabled, and their runs.",
)

File = Annotated[
    Path, typer.Argument(help="The definition, a YAML file.", exists=True, dir_okay=False, readable=True)
]
Name = Annotated[str, typer.Argument(help="The playbook, by name or id.")]
Run = Annotated[
    str,
    typer.Argument(help="The run's number, as `activity playbook runs` shows it; with --all, a playbook."),
]
Every = Annotated[bool, typer.Option("--all", help="Every run of a playbook that it can be done to.")]
State = Annotated[
    Literal["running", "waiting", "held", "paused", "completed", "failed", "cancelled", "refused"] | None,
    typer.Option(help="Only those in this state."),
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask; for scripts.")]
Actor = Annotated[str, typer.Option(help="Who does it: a user's e-mail address.")]
Reason = Annotated[str | None, typer.Option(help="Why, in words; it is recorded with who did it.")]


@playbooks.command()
def validate(file: File, json: Json = False) -> None:
    """Check a definition; every mistake is named with its line and field. Exit code 1: there are some."""
    from producers.playbooks.definition.source import InvalidPlaybook

    try:
        program = _program(file)
    except InvalidPlaybook as invalid:
        faults = [fault._asdict() for fault in invalid.faults]
        if json:
            print_json({"valid": False, "faults": faults})
        else:
            for fault in invalid.faults:
                typer.echo(
                    f"{file}:{fault.line}: {fault.field + ': ' if fault.field else ''}{fault.message}",
                    err=True,
                )
        raise typer.Exit(FINDING) from None
    steps = len(program.operations)
    valid = {"valid": True, "name": program.name, "steps": steps}
    print_one(valid, f"{program.name}: valid, {steps} steps", json)


@playbooks.command()
def schema() -> None:
    """Print the JSON Schema of a definition, for editors that check while one types."""
    from producers.playbooks.definition.document import json_schema

    print_json(json_schema())


@playbooks.command()
def add(
    file: File,
    tenant: TenantOption = None,
    enable: Annotated[bool, typer.Option("--enable", help="Enable it as well.")] = False,
    yes: Yes = False,
    actor: Actor = "system",
    json: Json = False,
) -> None:
    """Keep a definition as its playbook's next version. A new playbook is paused until it is enabled."""
    from producers.playbooks import operate

    with workspace(tenant) as (session, number):
        saved, program = operate.save(session, number, file.read_text(encoding="utf-8"), actor)
    if enable:
        _confirm(number, program.name, yes)
        with workspace(tenant) as (session, number):
            operate.enable(session, number, program.name, actor)
    state = "version" if saved.new else "unchanged, version"
    print_one(saved, f"{program.name}: {state} {saved.version}{', enabled' if enable else ''}", json)


@playbooks.command("list")
def list_all(tenant: TenantOption = None, json: Json = False) -> None:
    """List the playbooks: version, state, why paused, runs under way."""
    from db.playbooks import playbooks as stored

    with workspace(tenant, "reader") as (session, number):
        rows = stored.list_all(session, number)
    for row in rows:
        if json:
            print_json(row)
        else:
            why = f"  ({row.reason})" if row.reason else ""
            typer.echo(
                f"{row.id:>6}  v{row.version:<4} {row.state:<8} {row.open:>8} under way  {row.name}{why}"
            )


@playbooks.command()
def enable(name: Name, tenant: TenantOption = None, yes: Yes = False, actor: Actor = "system") -> None:
    """Let a playbook start at what is recorded from now on, after showing how often that may be."""
    from producers.playbooks import operate

    number = resolve(tenant).id
    _confirm(number, name, yes)
    with workspace(tenant) as (session, _):
        typer.echo(f"{operate.enable(session, number, name, actor).name}: enabled")


def _confirm(tenant: int, name: str, yes: bool) -> None:
    """Show how often a playbook would have started lately, and ask whether to enable it."""
    if yes:
        return
    from producers.playbooks.dry_run import outlook

    typer.echo(f"{name}: {outlook(tenant, name)}", err=True)
    typer.confirm("Enable it?", abort=True, err=True)


@playbooks.command()
def pause(
    name: Annotated[
        str, typer.Argument(help="The playbook, by name or id; with --run, the number of a run.")
    ],
    tenant: TenantOption = None,
    run: Annotated[bool, typer.Option("--run", help="Pause one run instead; `retry` lets it go on.")] = False,
    actor: Actor = "system",
    reason: Reason = None,
) -> None:
    """Let a playbook start nothing more, and hold what has not begun. With --run, hold one run."""
    from producers.playbooks import operate

    if run:
        _act(name, "pause", tenant, actor, reason)
        return
    with workspace(tenant) as (session, number):
        typer.echo(f"{operate.pause(session, number, name, actor, reason or 'paused by hand').name}: paused")


@playbooks.command()
def start(
    name: Name,
    account: Annotated[str | None, typer.Option(help="The account it is started for.")] = None,
    contact: Annotated[str | None, typer.Option(help="The contact it is started for.")] = None,
    opportunity: Annotated[str | None, typer.Option(help="The opportunity it is started for.")] = None,
    tenant: TenantOption = None,
    actor: Actor = "system",
) -> None:
    """Start a playbook by hand for one record."""
    from producers.playbooks import operate

    given = [
        (kind, id)
        for kind, id in (("account", account), ("contact", contact), ("opportunity", opportunity))
        if id
    ]
    if len(given) != 1:
        raise ActivityError("say for whom: one of --account, --contact and --opportunity")
    with workspace(tenant) as (session, number):
        started = operate.start(session, number, name, *given[0], actor)
    typer.echo(
        "started" if started else "not started: its once_per rule has it that it ran for this record before"
    )
    if not started:
        raise typer.Exit(FINDING)


@playbooks.command("dry-run")
def dry_run(
    file: File,
    event: Annotated[str, typer.Option(help="The event to try it with: its id, or its number in the log.")],
    tenant: TenantOption = None,
    json: Json = False,
) -> None:
    """Show what a playbook would do for an event of the log; nothing is changed.

    Exit code 1: it would not start.
    """
    from producers.playbooks import dry_run as trial

    program = _program(file)
    recorded = _event(tenant, event)
    with workspace(tenant) as (session, number):
        verdict, lines = trial.dry_run(session, number, program, recorded)
    starts = verdict.startswith("yes")
    text = "\n".join([f"would start: {verdict}", *(f"  {line}" for line in lines)])
    print_one({"starts": starts, "verdict": verdict, "steps": lines}, text, json)
    if not starts:
        raise typer.Exit(FINDING)


@playbooks.command()
def backtest(
    file: File,
    since: Annotated[
        str, typer.Option(help="From where: a number of the log (0: all of it), a date or time, or 30d ago.")
    ] = "0",
    tenant: TenantOption = None,
    json: Json = False,
) -> None:
    """Show what a playbook would have started, over the log as it is; nothing is changed.

    --json lists the events that would start it.
    """
    from producers.playbooks import dry_run as trial

    program, number = _program(file), resolve(tenant).id
    found = trial.backtest(number, program, _seq(number, since))
    rate = found.examined / max(found.seconds, 1e-9)
    if json:
        starts = [str(id) for id in found.starts]
        counts = {
            "examined": found.examined,
            "matched": found.matched,
            "started": len(starts),
            "refused": dict(found.refused),
        }
        print_json(
            {**counts, "seconds": round(found.seconds, 3), "events_per_s": round(rate), "starts": starts}
        )
        return
    typer.echo(f"{found.examined:,} events examined in {found.seconds:.1f} s ({rate:,.0f}/s)")
    typer.echo(f"{found.matched:,} met trigger and conditions, {len(found.starts):,} would have started")
    for reason, count in found.refused.most_common():
        typer.echo(f"{count:>12,}  not: {reason}")


@playbooks.command()
def runs(
    name: Annotated[str | None, typer.Argument(help="Only those of this playbook.")] = None,
    tenant: TenantOption = None,
    state: State = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 50,
    json: Json = False,
) -> None:
    """List runs, the newest first: state, step, and why where there is a reason."""
    from db.playbooks import playbooks as stored
    from db.playbooks import runs as plays

    with workspace(tenant, "reader") as (session, number):
        playbook = stored.find(session, number, name).id if name else None
        found = plays.list_runs(session, number, playbook=playbook, state=state, limit=limit)
    for row in found:
        if json:
            print_json(row)
        else:
            about = row.account_id or row.contact_id or row.opportunity_id or "-"
            why = f"  ({row.reason})" if row.reason else ""
            due = f"  due {row.due_at:%Y-%m-%d %H:%M:%S}" if row.due_at else ""
            typer.echo(f"{row.id:>8}  {row.state:<9}  {row.playbook} v{row.version}  {about}{due}{why}")


def _on_runs(what: "Act", about: str) -> None:
    """Add the command that does something to a run, or to every run of a playbook."""

    def command(
        run: Run,
        tenant: TenantOption = None,
        every: Every = False,
        state: State = None,
        actor: Actor = "system",
        reason: Reason = None,
    ) -> None:
        if not every:
            _act(run, what, tenant, actor, reason)
            return
        from producers.playbooks import operate

        count = operate.act_on_all(resolve(tenant).id, run, state, what, actor, reason)
        typer.echo(f"{run}: {what}, {count:,} runs")

    playbooks.command(what, help=about)(command)


_on_runs("cancel", "End a run before its end; with --all, all of a playbook's that are under way.")
_on_runs("retry", "Try a failed run's step again, or let a paused run go on.")
_on_runs("skip", "Leave out the step that a run is at, and go on with the next.")


def _act(run: str, what: "Act", tenant: str | None, actor: str, reason: str | None) -> None:
    from producers.playbooks import operate

    number = int(run) if run.isdigit() else 0
    with workspace(tenant) as (session, workspace_id):
        typer.echo(f"run {run}: {operate.act(session, workspace_id, number, what, actor, reason)}")


def _program(file: Path) -> "Program":
    from producers.playbooks.definition.program import build

    return build(file.read_text(encoding="utf-8"))


def _event(tenant: str | None, ref: str) -> "RecordedEvent":
    from uuid import UUID

    from db.log.reading import by_seq

    try:
        key = int(ref) if ref.isdigit() else UUID(ref)
    except ValueError:
        raise ActivityError(f"--event {ref}: give an event's id (a UUID) or its number in the log") from None
    with workspace(tenant, "reader") as (session, number):
        found = by_seq.get(session, number, key)
    if found is None:
        raise ActivityError(f"--event {ref}: the log holds no such event")
    return found


def _seq(tenant: int, since: str) -> int:
    """Return the number of the log that --since means."""
    from db.engine import begin
    from db.log.reading import by_seq
    from producers.playbooks.definition.document import span

    if since.isdigit():
        return int(since)
    try:
        moment = datetime.now(UTC) - span(since) if since[:-1].isdigit() else datetime.fromisoformat(since)
    except (ValueError, KeyError):
        raise ActivityError(
            f"--since {since}: write a number of the log, 2026-01-31, a time, or 30d"
        ) from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    with begin("reader", tenant) as session:
        return by_seq.seq_at(session, tenant, min(moment, datetime.now(UTC) + timedelta(days=1)))
