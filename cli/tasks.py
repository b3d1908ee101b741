"""`activity task` and `activity notice`: what playbooks hand out to people; see docs/playbooks.md."""

from typing import TYPE_CHECKING, Annotated

import typer

from cli.output import Json, print_each
from cli.workspace import TenantOption, workspace

if TYPE_CHECKING:
    from db.playbooks.handed_out import NoticeListing, TaskListing

tasks = typer.Typer(no_args_is_help=True, help="The tasks that playbooks handed out.")
notices = typer.Typer(no_args_is_help=True, help="What playbooks told people in the app.")

Actor = Annotated[str, typer.Option(help="Who does it: a user's e-mail address.")]
Limit = Annotated[int, typer.Option(min=1, max=10_000)]
Task = Annotated[int, typer.Argument(help="The task's number, as `activity task list` shows it.")]


@tasks.command("list")
def list_tasks(
    assignee: Annotated[str | None, typer.Option("--for", help="Only those of this person.")] = None,
    done: Annotated[bool, typer.Option("--done", help="The done ones instead of the open ones.")] = False,
    tenant: TenantOption = None,
    limit: Limit = 50,
    json: Json = False,
) -> None:
    """List the open tasks, the newest first."""
    from db.playbooks import handed_out

    with workspace(tenant, "reader") as (session, number):
        found = handed_out.list_tasks(session, number, assignee=assignee, done=done, limit=limit)
    print_each(found, _task, json)


def _task(task: "TaskListing") -> str:
    due = f"  due {task.due_at:%Y-%m-%d %H:%M}" if task.due_at else ""
    about = task.opportunity_id or task.contact_id or task.account_id or "-"
    end = f"  done {task.done_at:%Y-%m-%d %H:%M} by {task.done_by}" if task.done_at else ""
    return f"{task.id:>8}  {task.assignee or 'nobody'}  {about}{due}{end}  {task.title}"


@tasks.command()
def done(
    task: Task,
    outcome: Annotated[str | None, typer.Option(help="What came of it, for the timeline.")] = None,
    tenant: TenantOption = None,
    actor: Actor = "system",
) -> None:
    """Mark a task as done."""
    from producers.playbooks.steps import handed_out

    with workspace(tenant) as (session, number):
        handed_out.complete(session, number, task, actor, outcome)
    typer.echo(f"task {task}: done")


@tasks.command()
def assign(
    task: Task,
    assignee: Annotated[str, typer.Argument(help="Who is to do it: an e-mail address.")],
    tenant: TenantOption = None,
    actor: Actor = "system",
) -> None:
    """Give a task to somebody."""
    from producers.playbooks.steps import handed_out

    with workspace(tenant) as (session, number):
        handed_out.assign(session, number, task, assignee, actor)
    typer.echo(f"task {task}: {assignee}")


@notices.command("list")
def list_notices(
    recipient: Annotated[str | None, typer.Option("--for", help="Only those to this person.")] = None,
    unread: Annotated[bool, typer.Option("--unread", help="Only the unread ones.")] = False,
    tenant: TenantOption = None,
    limit: Limit = 50,
    json: Json = False,
) -> None:
    """List notices, the newest first."""
    from db.playbooks import handed_out

    with workspace(tenant, "reader") as (session, number):
        found = handed_out.list_notices(session, number, recipient=recipient, unread=unread, limit=limit)
    print_each(found, _notice, json)


def _notice(notice: "NoticeListing") -> str:
    times = f" ({notice.times} times)" if notice.times > 1 else ""
    text = " ".join(notice.message.split())
    return f"{notice.id:>8}  {notice.created_at:%Y-%m-%d %H:%M}  {notice.recipient}  {text}{times}"


@notices.command()
def read(
    recipient: Annotated[str, typer.Argument(help="Whose notices: an e-mail address.")],
    up_to: Annotated[int, typer.Argument(help="The newest that was read, by its number.")],
    tenant: TenantOption = None,
) -> None:
    """Mark a person's notices as read, up to a number."""
    from db.playbooks import handed_out

    with workspace(tenant) as (session, number):
        count = handed_out.mark_read(session, number, recipient, up_to)
    typer.echo(f"{count} read")
