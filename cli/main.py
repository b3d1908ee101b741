"""The `activity` command.

Exit codes: 0 done, 1 a finding, 2 wrong usage, 3 a server that cannot be reached, 130 interrupted.
"""

import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from activity.errors import ActivityError
from cli import access, enrichment, imports, playbooks, sequences, tasks
from cli.deployment import doctor, processes, serve
from cli.dev import bench, demo, dev, env
from cli.errors import UNREACHABLE, USAGE, Unreachable
from cli.log import audit, checkpoints, emit, prove, reading, rejected, stats, verify
from cli.mail import sources, suppressions
from cli.records import erase, tenants

# What libraries raise when a server is away, by name: a library that is not loaded raised nothing,
# and loading it takes time.
_CONNECTION_ERRORS = {
    "sqlalchemy.exc": "OperationalError",
    "redis.exceptions": "ConnectionError",
    "kombu.exceptions": "OperationalError",
}


class _Commands(TyperGroup):
    """Turns an ActivityError, or an unreachable server, into one line and an exit code.

    Every other error is a defect and keeps its traceback.
    """

    def invoke(self, ctx: Any) -> Any:  # the type is from typer's own copy of click, which is private
        """Run a command."""
        try:
            return super().invoke(ctx)
        except ActivityError as error:
            _fail(str(error), UNREACHABLE if isinstance(error, Unreachable) else USAGE)
        except _connection_errors() as error:
            _fail(f"cannot reach a server: {str(getattr(error, 'orig', error)).splitlines()[0]}", UNREACHABLE)


def _fail(message: str, code: int) -> None:
    typer.echo(f"activity: {message}", err=True)
    raise typer.Exit(code)


def _connection_errors() -> tuple[type[Exception], ...]:
    return tuple(
        getattr(sys.modules[module], name)
        for module, name in _CONNECTION_ERRORS.items()
        if module in sys.modules
    )


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"activity {version('crm-activity')}")
        raise typer.Exit


@app.callback()
def activity(
    version: Annotated[  # its callback has answered
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Say the version, and end."),
    ] = False,
) -> None:
    """The append-only timeline of every business event in a CRM workspace."""


app.command()(dev.dev)
app.command()(env.env)
app.command()(processes.worker)
app.command()(processes.beat)
app.command()(processes.flower)
app.command()(audit.migrate)
app.command()(audit.restored)
app.command()(verify.verify)
app.command()(checkpoints.checkpoint)
app.command()(checkpoints.checkpoint_key)
app.command()(checkpoints.witness)
app.command()(prove.prove)
app.command()(audit.export)
app.command()(doctor.doctor)
app.command()(erase.erase)
app.command()(rejected.rejected)
app.command()(rejected.replay)
app.command()(bench.bench)
app.command()(serve.serve)
app.add_typer(access.keys, name="key")
app.add_typer(sources.sources, name="source")
app.add_typer(suppressions.suppressions, name="suppression")
app.add_typer(suppressions.consents, name="consent")
app.command()(sources.classify)
app.add_typer(access.emitters, name="emitter")
app.command("import")(imports.import_)
app.add_typer(tenants.tenants, name="tenant")
app.add_typer(sequences.sequence, name="sequence")
app.add_typer(sequences.mailbox, name="mailbox")
app.add_typer(playbooks.playbooks, name="playbook")
app.add_typer(tasks.tasks, name="task")
app.add_typer(tasks.notices, name="notice")
app.command()(enrichment.enrich)
app.add_typer(enrichment.enrichment, name="enrichment")
app.command()(demo.demo)
app.command()(reading.feed)
app.command()(reading.show)
app.command()(reading.tail)
app.command()(stats.stats)
app.command()(emit.emit)
