"""The `activity` command.

Exit codes: 0 done, 1 a finding, 2 wrong usage, 3 a server that cannot be reached, 130 interrupted.
"""

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from cli import access, enrichment, imports, playbooks, sequences, tasks
from cli.deployment import doctor, processes, serve
from cli.dev import bench, demo, dev, env
from cli.errors import words_of
from cli.log import audit, checkpoints, emit, prove, reading, rejected, stats, verify
from cli.mail import sources, suppressions
from cli.records import erase, tenants


class _Commands(TyperGroup):
    """Turns what is wrong outside of this program into one line and an exit code (cli/errors.py).

    Every other error is a defect and keeps its traceback.
    """

    def invoke(self, ctx: Any) -> Any:  # the type is from typer's own copy of click, which is private
        """Run a command."""
        try:
            return super().invoke(ctx)
        except Exception as error:
            fault = words_of(error)
            if fault is None:
                raise
            typer.echo(f"activity: {fault.words}", err=True)
            raise typer.Exit(fault.code) from None


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
