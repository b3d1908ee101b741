"""Which process of a deployment reads which settings, and which of them it cannot work without.

Here is their one home: what a process checks when it starts, docs/settings.md and the variables that
docker-compose.yml gives its services all follow it.
"""

from collections.abc import Mapping
from typing import Literal, get_args

from activity.errors import SettingMissing
from activity.settings import Role, Settings, settings

Process = Literal["migrate", "api", "append", "producers", "beat", "flower", "operator"]

_CHECKPOINTS = ("checkpoint_keys", "checkpoint_every_s", "checkpoint_dir", "checkpoint_url")
_LOGS = ("log_level", "log_format")
_DATABASE = (
    "database_connect_s",
    "database_unacknowledged_s",
    "database_pool",
    "database_prepare",
)
_REDIS = ("broker_url", "sentinel_master", "deployment")
_PASSWORDS = tuple(f"{role}_password" for role in get_args(Role))
_SERVERS = ("database_url", "redis_url")
_MAIL = ("tracking_keys", "public_url")
# What both the API and the producers worker do: judge mail, ask providers, start plays.
_PRODUCERS = (
    "enrichment_config",
    "outbound_allow",
    "playbook_starts_per_minute",
    "sns_certificates",
    "soft_bounce_limit",
)

REQUIRED: Mapping[Process, tuple[str, ...]] = {
    "migrate": ("database_url",),
    "api": (*_SERVERS, "producer_password", "reader_password", *_MAIL),
    "append": (*_SERVERS, "producer_password", "writer_password"),
    "producers": (*_SERVERS, "producer_password", "reader_password", *_MAIL),
    "beat": ("redis_url",),
    "flower": ("redis_url",),
    "operator": _SERVERS,
}
"""What a process cannot work without."""

_OPTIONAL: Mapping[Process, tuple[str, ...]] = {
    "migrate": (*_PASSWORDS, *_DATABASE, *_LOGS),
    "api": (
        *("reader_url", "session_secret", "embed_origins", "record_url", "write_rate"),
        *("jwt_secret", "jwt_jwks_url", "jwt_issuer", "jwt_audience"),
        *("streams_per_user", "stream_heartbeat_s"),
        *_PRODUCERS,
        *_DATABASE,
        *_REDIS,
        *_LOGS,
    ),
    "append": ("batch_size", "trust_broker", "outbound_allow", *_CHECKPOINTS, *_DATABASE, *_REDIS, *_LOGS),
    "producers": (
        *("smtp_passwords", "smtp_connections", "smtp_timeout_s", "smtp_retry_s", "send_lease_s"),
        *("webhook_secrets", "notify_smtp_url", "notify_from", "batch_size"),
        *_PRODUCERS,
        *_DATABASE,
        *_REDIS,
        *_LOGS,
    ),
    "beat": ("data_dir", *_REDIS, *_LOGS),
    "flower": (*_REDIS, *_LOGS),
    "operator": (
        *_PASSWORDS,
        *_MAIL,
        "smtp_passwords",
        "batch_size",
        *_CHECKPOINTS,
        *_PRODUCERS,
        *_DATABASE,
        *_REDIS,
        *_LOGS,
    ),
}


def read_by(name: str) -> list[Process]:
    """Return the processes that read a setting."""
    return [process for process in get_args(Process) if name in (*REQUIRED[process], *_OPTIONAL[process])]


def check(process: Process) -> None:
    """Raise SettingMissing with everything that this process cannot work without and is not given."""
    given = settings()
    missing = [name for name in REQUIRED[process] if getattr(given, name) is None]
    if missing:
        described = "; ".join(
            f"ACTIVITY_{name.upper()} ({Settings.model_fields[name].description})" for name in missing
        )
        raise SettingMissing(
            f"{process} cannot work without {described} Set it in its environment: docs/settings.md"
        )
