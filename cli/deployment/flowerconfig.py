"""How Flower runs here.

It reads the names below; its own variables (FLOWER_PORT, FLOWER_BASIC_AUTH=user:password, ...) set the rest.
"""

import os
from typing import Any

from celery.events import state
from flower import command, views  # type: ignore[import-untyped]  # flower has no types

from cli.deployment.flowermemory import KeepsFailures
from worker.celery import app, queues
from worker.foreign import shown

address = os.environ.get("FLOWER_ADDRESS", "127.0.0.1")
if address not in {"127.0.0.1", "::1", "localhost"} and not os.environ.get("FLOWER_BASIC_AUTH"):
    raise SystemExit(
        "Flower shows every task: set FLOWER_BASIC_AUTH=user:password before you open it to other machines "
        "by FLOWER_ADDRESS"
    )

# Looking on is what it is for here; whoever wants to revoke tasks by hand says FLOWER_READ_ONLY=false.
read_only = os.environ.get("FLOWER_READ_ONLY", "true").lower() != "false"

# Bounded, and kept nowhere: what happened is in the log, this is what the workers do now.
max_tasks = 10_000
max_workers = 200
purge_offline_workers = 120
persistent = False

# args is the one line that the sender of a task describes it with, result the one line that the task returns.
tasks_columns = "name,args,state,result,exception,received,runtime,retries,worker"
natural_time = True


def format_task(task: Any) -> Any:
    """Hide the events of a message whose sender publishes them itself, as some Celery programs do."""
    if task.name == "activity.append":
        task.args, task.kwargs = shown(task.args), shown(task.kwargs)
    return task


# Flower asks the workers for their queues once, when it starts, and shows those of who answered.
views.BaseHandler.get_active_queue_names = lambda _: sorted(queues())
# Made by Flower after this file is read.
state.LRUCache = KeepsFailures
# It keeps nothing that would have to be written down, and its threads may wait for a Redis that is away.
command.sigterm_handler = lambda *_: os._exit(0)


# Flower asks each worker eight things at once, and each question holds one connection while it takes another:
# with the few connections that suffice a worker, the questions wait for each other for ever, and its page
# stays empty.
app.conf.broker_pool_limit = 200
