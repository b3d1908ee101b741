"""How Celery runs here, each setting with its reason.

Read on first use, so that importing the app needs no settings.
"""

from activity.settings import settings

broker_url = settings().broker
accept_content = ["json"]
task_serializer = "json"
timezone = "UTC"
broker_connection_retry_on_startup = True
broker_connection_max_retries = None  # a worker without a broker still works by its own clock

# No results are kept: what a task did is in PostgreSQL. Flower shows the one line that it returns all the
# same.
task_ignore_result = True
worker_send_task_events = True

# Acknowledged after the work is committed, and given back when the process that did it was killed. Every task
# is safe to run twice.
task_acks_late = True
task_reject_on_worker_lost = True
# Take one message at a time: the others stay where any worker can have them.
worker_prefetch_multiplier = 1

broker_transport_options = {
    # Seconds until a killed worker's message comes back; tasks are chunks of far less
    "visibility_timeout": 60,
    # Look for such messages every second: by default it takes up to 100 s more
    "unacked_restore_interval": 1,
    "unacked_restore_throttle": 1,
    "socket_timeout": 5,  # a frozen broker must not hold a worker or a producer
    "socket_connect_timeout": 2,
    "socket_keepalive": True,
    # Of connecting to send: by default whoever commits waits six seconds for a broker that is away
    "max_retries": 0,
    "priority_steps": [0],  # no priorities by message: one list a queue
}
if settings().sentinel_master is not None:
    broker_transport_options["master_name"] = settings().sentinel_master
# A broker that is away fails a send at once: nothing depends on the message.
task_publish_retry = False
broker_pool_limit = 4

task_default_queue = "default"
task_routes = {
    "activity.*": {"queue": "append"},
    "sequence.*": {"queue": "sequences"},
    "enrichment.*": {"queue": "enrichment"},
    "playbook.*": {"queue": "playbooks"},
}

# Beat makes nothing happen that would not happen without it: each worker is its own clock, in
# worker/process/clock.py. What is here is shown by Flower as a task of its own. No `expires`: it compares two
# machines' clocks.
beat_schedule = {"enrichment.schedule": {"task": "enrichment.schedule", "schedule": 60.0}}

# Tasks that follow the log and are woken after an append. As text: worker imports none of the producers.
followers = ("playbook.start", "enrichment.signals", "records.touches", "search.index")

# Stop within seconds: a task is a chunk, and its work is safe to do again.
worker_soft_shutdown_timeout = 3.0
worker_hijack_root_logger = False
worker_redirect_stdouts = False
worker_enable_remote_control = True  # `activity doctor` and Flower ask workers what they serve
