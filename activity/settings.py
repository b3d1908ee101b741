"""Every setting, with its meaning and default; each is read from the environment as ACTIVITY_<NAME>.

`activity dev` writes what it started into settings.json in the data directory, so that every other command
run beside it finds the embedded servers without any variable set. The environment overrides that file.
"""

import os
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    JsonConfigSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from activity.errors import InvalidSetting, SettingMissing

Role = Literal["producer", "writer", "reader", "auditor", "eraser"]


def _with_scheme(*schemes: str) -> AfterValidator:
    def check(url: SecretStr) -> SecretStr:
        if not url.get_secret_value().startswith(tuple(f"{scheme}:" for scheme in schemes)):
            raise ValueError(f"it must begin with {' or '.join(f'{scheme}://' for scheme in schemes)}")
        return url

    return AfterValidator(check)


_Postgres = Annotated[SecretStr, _with_scheme("postgresql", "postgres", "postgresql+psycopg")]
_Redis = Annotated[SecretStr, _with_scheme("redis", "rediss", "unix", "sentinel")]


def data_dir() -> Path:
    """Return ACTIVITY_DATA_DIR, else the nearest `.activity` of this user here or in a folder above."""
    if given := os.environ.get("ACTIVITY_DATA_DIR"):
        return Path(given)
    here = Path.cwd()
    return next(
        filter(_belongs_to_this_user, (folder / ".activity" for folder in (here, *here.parents))),
        Path(".activity"),
    )


def _belongs_to_this_user(folder: Path) -> bool:
    """Return whether it is a folder of this user: what it holds says which servers get our passwords."""
    try:
        return folder.is_dir() and folder.stat().st_uid == os.getuid()
    except OSError:
        return False


class Settings(BaseSettings):
    """What a deployment can change. Each role has a password: give a process those of its roles only."""

    model_config = SettingsConfigDict(env_prefix="ACTIVITY_", extra="ignore", frozen=True)

    database_url: _Postgres | None = Field(
        None,
        description="PostgreSQL 18 as postgresql://host:port/database. "
        "A user and password in it are used by `activity migrate` alone.",
    )
    reader_url: _Postgres | None = Field(
        None,
        description="A hot standby of it, for the API alone: the log and the records are read there. "
        "What was just written is seen there a moment later.",
    )
    sentinel_master: str | None = Field(
        None, description="Which master to ask the sentinels for, where a Redis or broker URL is sentinel://."
    )
    database_connect_s: int = Field(
        5, ge=2, le=60, description="Seconds that making a connection to PostgreSQL may take."
    )
    database_unacknowledged_s: int = Field(
        10,
        ge=1,
        le=600,
        description=(
            "Seconds after which a connection is cut on which PostgreSQL's host acknowledges nothing."
        ),
    )
    database_pool: int = Field(
        10,
        ge=1,
        le=200,
        description="Connections of a role that a process keeps open; under load it opens as many again.",
    )
    database_prepare: bool = Field(
        True,
        description="Prepare statements that are repeated. "
        "Set it to false behind a pooler by transaction that does not keep prepared statements apart.",
    )
    redis_url: _Redis | None = Field(
        None, description="Redis or Valkey for live publishing, as redis://host:port/0 or rediss://."
    )
    broker_url: SecretStr | None = Field(
        None, description="The Celery broker. Default: the same server as ACTIVITY_REDIS_URL."
    )
    producer_password: SecretStr | None = Field(None, description="Password of the role activity_producer.")
    writer_password: SecretStr | None = Field(
        None, description="Password of the role activity_writer (the append task)."
    )
    reader_password: SecretStr | None = Field(
        None, description="Password of the role activity_reader (feed and API)."
    )
    auditor_password: SecretStr | None = Field(
        None, description="Password of the role activity_auditor (verify)."
    )
    eraser_password: SecretStr | None = Field(None, description="Password of the role activity_eraser.")
    data_dir: Path = Field(
        default_factory=data_dir,
        description="Where `activity dev` keeps its servers' data, settings.json and endpoints.json. "
        "Unset: the nearest folder `.activity`, here or above.",
    )
    deployment: str | None = Field(
        None,
        pattern=r"^[a-z0-9][a-z0-9-]{0,30}$",
        description="The deployment's name on a shared Redis, the same in all its processes. "
        "Unset: drawn from the database, another one for each copy of it.",
    )
    trust_broker: bool = Field(
        False,
        description="Believe a Celery message without a key: whoever can write to the broker "
        "then writes as any workspace.",
    )
    batch_size: int = Field(
        300,
        ge=1,
        le=5000,
        description="Most events in one append transaction: "
        "more append faster, but one tenant's flood delays the others more.",
    )
    checkpoint_keys: SecretStr | None = Field(
        None,
        description="Signs checkpoints, as lines of `activity checkpoint-key`, separated by commas. "
        "All of them sign: rotate by adding the new one in front and leaving the old one out later.",
    )
    checkpoint_every_s: int = Field(
        3600,
        ge=1,
        le=31 * 86400,
        description="Seconds between two checkpoints of a log that grows. Without keys none is made.",
    )
    checkpoint_dir: Path | None = Field(
        None,
        description="A folder, out of the reach of the database's host, where checkpoints go as well.",
    )
    checkpoint_url: SecretStr | None = Field(
        None, description="A web address that each checkpoint is posted to as well, as text."
    )
    outbound_allow: str = Field(
        "",
        description="Networks that webhooks and providers may reach though they are not public, "
        "such as 10.1.0.0/16,127.0.0.1/32.",
    )
    enrichment_config: Path | None = Field(
        None, description="The TOML file of docs/enrichment.md: fields, providers, budget, signal rules."
    )
    playbook_starts_per_minute: int = Field(
        600,
        ge=1,
        le=1_000_000,
        description="Most runs of one playbook that start in a minute; the rest start later, "
        "and delay no other playbook.",
    )
    webhook_secrets: dict[str, SecretStr] = Field(
        {},
        description='Secrets that playbooks sign webhooks with, by name, as JSON: {"crm": "whsec_..."}; '
        "a step names one of them.",
    )
    notify_smtp_url: SecretStr | None = Field(
        None,
        description="The mail server of playbooks' notifications, "
        "as smtp://user:password@host:587 (STARTTLS where offered) or smtps://.",
    )
    notify_from: str = Field("activity@localhost", description="The sender of playbooks' notifications.")
    session_secret: SecretStr | None = Field(
        None,
        description="Signs the page's session cookies; 32 bytes or more, the same in every API process. "
        "Unset: made at start, a restart ends the sessions.",
    )
    embed_origins: str = Field(
        "",
        description="Sites whose pages may show <activity-feed> with their own tokens, separated by spaces: "
        "https://crm.example.com.",
    )
    record_url: str | None = Field(
        None, description="Where the page links records to: https://crm.example.com/{type}s/{id}."
    )
    jwt_secret: SecretStr | None = Field(
        None,
        description="The secret that the host CRM signs its users' tokens with (HS256): 32 bytes or more.",
    )
    jwt_jwks_url: str | None = Field(
        None,
        description="Where the host CRM publishes the keys of its tokens (RS256, ES256, EdDSA), as https://.",
    )
    jwt_issuer: str | None = Field(None, description="The `iss` that a token must name. Unset: not checked.")
    jwt_audience: str | None = Field(
        None, description="The `aud` that a token must name. Unset: a token that names one is refused."
    )
    write_rate: int = Field(
        1200,
        ge=1,
        description="Write requests a minute for each key or user in one API process; a batch is one.",
    )
    streams_per_user: int = Field(
        20, ge=1, description="Open streams for each key or user in one API process."
    )
    stream_heartbeat_s: float = Field(
        20,
        gt=0,
        le=50,
        description="Seconds between a stream's heartbeats; less than a proxy's read time-out.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="The least severe level that is logged."
    )
    log_format: Literal["json", "console"] = Field(
        "json", description="One JSON object a line, or text for people."
    )

    public_url: str | None = Field(
        None,
        pattern=r"^https?://[^\s]+$",
        description="Where recipients of mail and providers reach the API, as https://activity.example.com: "
        "links, pixel, unsubscribe page, webhooks.",
    )
    soft_bounce_limit: int = Field(
        5,
        ge=1,
        le=1000,
        description="Soft bounces in a row after which an address is suppressed.",
    )
    sns_certificates: Path | None = Field(
        None,
        description="A folder with certificates of Amazon SNS by file name, trusted as they are: "
        "for processes without access to the internet.",
    )
    tracking_keys: SecretStr | None = Field(
        None,
        description="Signs the links in mails, as id:secret,id:secret. "
        "The first signs, all verify: rotate by adding one in front.",
    )
    smtp_passwords: dict[str, SecretStr] = Field(
        {}, description="Passwords of mailboxes by user name, as a JSON object."
    )
    smtp_connections: int = Field(
        10,
        ge=1,
        le=20,
        description="Most connections of a chunk of mails to a mailbox's server; fewer if it accepts fewer.",
    )
    smtp_timeout_s: float = Field(
        20, gt=0, le=120, description="Seconds that a mail server may take for one answer."
    )
    smtp_retry_s: float = Field(
        60,
        gt=0,
        description="Seconds until a mail that was put off is tried again; doubles each time, to four hours.",
    )
    send_lease_s: float = Field(
        180,
        ge=2,
        description=(
            "Seconds until a dead worker's mail is sent by another; more than 4 times smtp_timeout_s."
        ),
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Return where settings come from, the strongest first."""
        written_by_dev = data_dir() / "settings.json"
        return init_settings, env_settings, JsonConfigSettingsSource(settings_cls, json_file=written_by_dev)

    def required(self, name: str) -> str:
        """Return the setting `name` as text. Raises SettingMissing."""
        value = getattr(self, name)
        if value is None:
            raise SettingMissing(
                f"ACTIVITY_{name.upper()} is not set: "
                "set it, or start the embedded servers with `activity dev`; "
                "where they run, name their folder in ACTIVITY_DATA_DIR (`activity env` does)"
            )
        return value.get_secret_value() if isinstance(value, SecretStr) else str(value)

    @property
    def broker(self) -> str:
        """Return the Celery broker's URL."""
        return self.required("broker_url" if self.broker_url else "redis_url")


@cache
def settings() -> Settings:
    """Return the settings of this process, read once.

    Raises InvalidSetting, which names what cannot be used and never repeats a value: it may be a secret.
    """
    try:
        return Settings()
    except ValidationError as error:
        faults = [
            f"ACTIVITY_{_name(fault['loc'])}: {fault['msg']}" for fault in error.errors(include_input=False)
        ]
        raise InvalidSetting(f"{'; '.join(faults)}: see docs/settings.md") from None
    except SettingsError as error:
        field = re.search(r'field "(\w+)"', str(error))
        raise InvalidSetting(
            f"ACTIVITY_{_name([field[1] if field else '*'])} is no JSON object: see docs/settings.md"
        ) from None
    except (ValueError, OSError) as error:
        raise InvalidSetting(
            f"{data_dir() / 'settings.json'} cannot be read ({error}): "
            "restore it, or start anew with another ACTIVITY_DATA_DIR"
        ) from None


def _name(place: Sequence[int | str]) -> str:
    return str(place[0]).upper() if place else "*"
