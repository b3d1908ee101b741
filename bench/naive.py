"""The obvious design, as a baseline.

One Celery task, one INSERT, one commit and one PUBLISH for each event.
"""

from functools import cache

import psycopg
import redis
from celery import Celery

from activity.settings import settings

app = Celery("naive", broker=settings().broker)
app.conf.update(task_ignore_result=True, worker_prefetch_multiplier=4, task_default_queue="naive")

COLUMNS = (
    "seq, occurred_at, recorded_at, event_id, tenant_id, version, type, actor, source, account_id, "
    "contact_id,"
    " record_type, record_id, payload, salt, payload_sha256, hash"
)
INSERT = f"insert into floor ({COLUMNS}) select {COLUMNS} from json_populate_record(null::floor, %s::json)"  # noqa: S608  # a constant


@cache
def connections() -> tuple[psycopg.Connection, "redis.Redis"]:
    """Return this process's connections."""
    return psycopg.connect(settings().required("database_url"), autocommit=True), redis.Redis.from_url(
        settings().required("redis_url")
    )


@app.task(name="naive.append")  # type: ignore[untyped-decorator]  # celery has no types
def append(row: str) -> None:
    """Store and publish one event."""
    database, pubsub = connections()
    database.execute(INSERT, (row,))
    pubsub.publish("naive", row)
