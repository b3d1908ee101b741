"""What the reference deployment promises: docker-compose.yml and the processes in it."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from typer.testing import CliRunner

from activity.errors import SettingMissing
from activity.processes import REQUIRED, Process, check, read_by
from activity.settings import Settings, settings
from cli.deployment import processes
from cli.main import app

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docker-compose.yml").read_text()
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(TEXT)["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"] == "crm-activity"}
STEADY = [name for name in SERVICES if name not in ("migrate", "operator")]

GIVEN = {"database_url": "postgresql://given.example/activity", "redis_url": "redis://given.example"}
DURATION = {"type": "string", "pattern": "^[0-9]+s$"}
WORDS = {"type": "array", "items": {"type": "string"}, "minItems": 1}
SERVICE = {
    "type": "object",
    "additionalProperties": False,
    "required": ["image", "restart", "environment"],
    "properties": {
        "image": {"type": "string", "pattern": "^[a-z/-]+(:[0-9]+)?$"},
        "build": {"const": "."},
        "user": {"type": "string"},
        "command": WORDS,
        "hostname": {"type": "string"},
        "init": {"const": True},
        "read_only": {"const": True},
        "tmpfs": WORDS,
        "cap_drop": {"const": ["ALL"]},
        "security_opt": {"const": ["no-new-privileges:true"]},
        "profiles": {"const": ["operator"]},
        "restart": {"enum": ["unless-stopped", "no"]},
        "stop_grace_period": DURATION,
        "shm_size": {"type": "string", "pattern": "^[0-9]+mb$"},
        "environment": {"type": "object", "additionalProperties": {"type": ["string", "null"]}},
        "ports": {"type": "array", "items": {"type": "string", "pattern": "^127\\.0\\.0\\.1:[0-9]+:[0-9]+$"}},
        "volumes": WORDS,
        "depends_on": {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "additionalProperties": False,
                "required": ["condition"],
                "properties": {"condition": {"enum": ["service_healthy", "service_completed_successfully"]}},
            },
        },
        "healthcheck": {
            "type": "object",
            "additionalProperties": False,
            "required": ["test", "interval", "timeout", "retries"],
            "properties": {
                "test": {
                    "type": "array",
                    "prefixItems": [{"enum": ["CMD", "CMD-SHELL"]}],
                    "items": {"type": "string"},
                    "minItems": 2,
                },
                "interval": DURATION,
                "timeout": DURATION,
                "start_period": DURATION,
                "retries": {"type": "integer"},
            },
        },
    },
}


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_uses_only_keys_that_compose_knows_and_listens_on_this_machine_alone(name: str) -> None:
    jsonschema.validate(SERVICES[name], SERVICE)


def _has_compose() -> bool:
    if shutil.which("docker") is None:
        return False
    return subprocess.run(["docker", "compose", "version"], check=False, capture_output=True).returncode == 0


@pytest.mark.beside(_has_compose(), "docker compose; the test above holds the same file to its schema")
def test_docker_compose_accepts_the_file() -> None:
    environment = os.environ | dict.fromkeys(re.findall(r"\$\{([A-Z_]+)", TEXT), "x")
    config = ["docker", "compose", "config", "--format", "json"]
    shown = subprocess.run(
        config,
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert set(json.loads(shown.stdout)["services"]) == set(SERVICES)


def test_every_process_has_its_service() -> None:
    assert {child.name for child in processes.processes()} == set(OURS) - {"migrate", "operator"}


@pytest.mark.parametrize("name", OURS)
def test_a_service_runs_a_command_that_there_is(name: str) -> None:
    command = OURS[name]["command"]
    assert CliRunner().invoke(app, [*command, "--help"]).exit_code == 0
    assert command[0] != "worker" or command == ["worker", name, f"--hostname={name}@%h"]


@pytest.mark.parametrize("name", STEADY)
def test_what_runs_all_the_time_is_watched_and_started_again(name: str) -> None:
    assert SERVICES[name]["restart"] == "unless-stopped"
    assert "healthcheck" in SERVICES[name]


@pytest.mark.parametrize("name", OURS)
def test_nothing_of_ours_can_write_its_image_or_gain_rights(name: str) -> None:
    assert {"read_only", "cap_drop", "security_opt", "init"} <= set(OURS[name])


def test_the_superuser_is_known_to_migrate_alone() -> None:
    assert {name for name, service in SERVICES.items() if "POSTGRES_PASSWORD" in str(service)} == {
        "postgres",
        "migrate",
    }


def test_each_process_is_given_the_roles_it_uses_and_no_other() -> None:
    given = {
        name: set(re.findall(r"ACTIVITY_([A-Z]+)_PASSWORD'", str(service["environment"])))
        for name, service in OURS.items()
    }
    assert given == {
        "migrate": {"PRODUCER", "WRITER", "READER", "AUDITOR", "ERASER"},
        "operator": {"PRODUCER", "WRITER", "READER", "AUDITOR", "ERASER"},
        "api": {"PRODUCER", "READER"},
        "append": {"PRODUCER", "WRITER"},
        "producers": {"PRODUCER", "READER"},
        "beat": set(),
        "flower": set(),
    }


def test_make_env_makes_every_secret_the_file_asks_for() -> None:
    listed = subprocess.run(
        ["make", "--dry-run", "--always-make", ".env"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert [name for name in set(re.findall(r"\$\{([A-Z_]+)", TEXT)) if name not in listed] == []


@pytest.mark.parametrize("name", OURS)
def test_a_service_sets_only_what_the_program_reads(name: str) -> None:
    known = {f"ACTIVITY_{field.upper()}" for field in Settings.model_fields} | {
        "FLOWER_ADDRESS",
        "FLOWER_BASIC_AUTH",
    }
    assert set(OURS[name]["environment"]) <= known


@pytest.mark.parametrize("name", REQUIRED)
def test_every_setting_can_be_given_to_each_service_that_reads_it(name: Process) -> None:
    by_the_image = {"data_dir"}
    read = {field for field in Settings.model_fields if name in read_by(field)} - by_the_image
    assert {f"ACTIVITY_{field.upper()}" for field in read} == {
        variable for variable in OURS[name]["environment"] if variable.startswith("ACTIVITY_")
    }
    values = OURS[name]["environment"]
    assert [field for field in REQUIRED[name] if not values[f"ACTIVITY_{field.upper()}"]] == []


def test_every_setting_is_read_by_some_process_and_is_one() -> None:
    assert [field for field in Settings.model_fields if not read_by(field)] == []
    assert set(REQUIRED) == set(OURS)
    assert {field for fields in REQUIRED.values() for field in fields} <= set(Settings.model_fields)


@pytest.mark.parametrize(
    ("name", "missing"), [(process, field) for process, fields in REQUIRED.items() for field in fields]
)
def test_a_process_does_not_start_without_what_its_work_needs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: Process, missing: str
) -> None:
    monkeypatch.setenv("ACTIVITY_DATA_DIR", str(tmp_path))
    for field in Settings.model_fields:
        if field != "data_dir":
            monkeypatch.delenv(f"ACTIVITY_{field.upper()}", raising=False)
    for field in set(REQUIRED[name]) - {missing}:
        monkeypatch.setenv(f"ACTIVITY_{field.upper()}", GIVEN.get(field, "https://given.example"))
    settings.cache_clear()
    with pytest.raises(SettingMissing, match=f"{name} cannot work without ACTIVITY_{missing.upper()}"):
        check(name)
    monkeypatch.setenv(f"ACTIVITY_{missing.upper()}", GIVEN.get(missing, "https://given.example"))
    settings.cache_clear()
    check(name)
    settings.cache_clear()


@pytest.mark.parametrize("command", [("worker", "append"), ("worker", "producers"), ("flower",), ("serve",)])
def test_what_a_process_lacks_is_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: tuple[str, ...]
) -> None:
    for variable in [name for name in os.environ if name.startswith("ACTIVITY_")]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("ACTIVITY_DATA_DIR", str(tmp_path))
    settings.cache_clear()
    result = CliRunner().invoke(app, command)
    settings.cache_clear()
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1), result.stderr
    assert "cannot work without ACTIVITY_" in result.stderr


@pytest.mark.parametrize(("auth", "code"), [(None, 1), ("operator:secret", 0)])
def test_flower_is_never_open_to_other_machines_without_a_password(auth: str | None, code: int) -> None:
    environment = {**os.environ, "FLOWER_ADDRESS": "0.0.0.0", **({"FLOWER_BASIC_AUTH": auth} if auth else {})}
    config = [sys.executable, str(processes.FLOWER_CONFIG)]
    read = subprocess.run(config, check=False, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert (read.returncode, "set FLOWER_BASIC_AUTH" in read.stderr) == (code, code == 1)
