"""How Celery runs here, each setting with its reason. Read on first use, so that importing the app needs no settings."""

from activity.settings import settings

broker_url = settings().broker
accept_content = ["json"]
task_serializer = "json"
timezone = "UTC"
broker_connection_retry_on_startup = True

# No results are kept: what a task did is in PostgreSQL. Flower shows the one line that it returns all the same.
task_ignore_result = True
worker_send_task_events = True

# Acknowledged after the work is committed, and given back when the process that did it was killed. Every task is safe to run twice.
task_acks_late = True
task_reject_on_worker_lost = True
# Take one message at a time: the others stay where any worker can have them.
worker_prefetch_multiplier = 1

broker_transport_options = {
    "visibility_timeout": 60,  # seconds until a killed worker's message comes back; tasks are chunks of far less
    "unacked_restore_interval": 1,  # look for such messages every second: by default it takes up to 100 s more
    "unacked_restore_throttle": 1,
    "socket_timeout": 10,  # a frozen broker must not hold a worker or a producer for ever
    "socket_connect_timeout": 5,
    "max_retries": 0,  # of connecting to send: by default whoever commits waits six seconds for a broker that is away
    "priority_steps": [0],  # no priorities by message: one list a queue
}
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

# Beat sends each of these every so many seconds, whatever was lost: a message, a worker, the whole broker. Two beats do no harm.
# The names are text: worker imports none of the producers that do the work.
SWEEPS = {
    "activity.append": 1.0,
    "activity.announce": 1.0,
    "enrichment.run": 1.0,
    "enrichment.signals": 1.0,
    "enrichment.schedule": 60.0,
    "sequence.send": 1.0,
    "webhook.poll": 5.0,
    "playbook.start": 1.0,
    "playbook.advance": 1.0,
    "playbook.schedule": 5.0,
}
beat_schedule = {
    name: {"task": name, "schedule": seconds, "options": {"expires": max(2.0, seconds)}}
    for name, seconds in SWEEPS.items()
}

# Stop within seconds: a task is a chunk, and its work is safe to do again.
worker_soft_shutdown_timeout = 3.0
worker_hijack_root_logger = False
worker_redirect_stdouts = False
# Gossip and mingle are for finding other workers; ours have nothing to tell each other.
worker_enable_remote_control = True
