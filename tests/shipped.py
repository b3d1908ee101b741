"""What is shipped, installed as the image has it, and its services as docker-compose.yml runs them."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from cli.dev.embedded import EmbeddedPostgres, EmbeddedValkey
from cli.dev.ports import free_port

ROOT = Path(__file__).parents[1]
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
_VARIABLE = re.compile(r"\$\{([A-Z_]+)[^}]*\}")


def install(folder: Path) -> Path:
    """Build the wheel and install it with requirements.txt alone, as the Dockerfile does.

    Return its programs' folder.
    """
    build = (sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder))
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    wheel = next(folder.glob("*.whl"))
    uv = str(Path(sys.executable).with_name("uv"))
    environment = folder / "environment"
    pip = (uv, "pip", "install", "--quiet", "--python", str(environment / "bin" / "python"))
    subprocess.run((uv, "venv", "--quiet", "--python", sys.executable, str(environment)), check=True)
    subprocess.run((*pip, "--require-hashes", "-r", str(ROOT / "requirements.txt")), check=True)
    subprocess.run((*pip, "--no-deps", str(wheel)), check=True)
    return environment / "bin"


@dataclass
class Deployment:
    """The services of the file.

    Each has exactly the variables that the file gives it, and the image's own.
    """

    programs: Path
    folder: Path
    postgres: EmbeddedPostgres
    valkey: EmbeddedValkey
    secrets: Mapping[str, str]
    api_port: int = field(default_factory=free_port)
    flower_port: int = field(default_factory=free_port)

    @property
    def api(self) -> str:
        """Where the API is."""
        return f"http://127.0.0.1:{self.api_port}"

    def variables(self, service: str) -> dict[str, str]:
        """Return the environment of a service, with this machine's addresses instead of the network's."""
        image = dict(re.findall(r"(\w+)=(\S+)", _instruction("ENV")))
        image |= {"ACTIVITY_DATA_DIR": str(self.folder / service), "HOME": str(self.folder / service)}
        given = {
            name: self._filled(self.secrets.get(name, "") if value is None else value)
            for name, value in SERVICES[service]["environment"].items()
        }
        path = os.pathsep.join((str(self.programs), os.environ["PATH"]))
        mine = {"PATH": path, "ACTIVITY_PORT": str(self.api_port), "FLOWER_PORT": str(self.flower_port)}
        return {**image, **{name: value for name, value in given.items() if value}, **mine}

    def _filled(self, text: str) -> str:
        filled = _VARIABLE.sub(lambda found: self.secrets.get(found[1], ""), text)
        for inside, here in (
            ("@postgres:5432", f"@127.0.0.1:{self.postgres.port}"),
            ("//postgres:5432", f"//127.0.0.1:{self.postgres.port}"),
            ("@valkey:6379", f"@127.0.0.1:{self.valkey.port}"),
            ("0.0.0.0", "127.0.0.1"),
        ):
            filled = filled.replace(inside, here)
        return filled

    def command(self, service: str) -> list[str]:
        """Return what the service's container runs."""
        words = (word.replace("0.0.0.0", "127.0.0.1") for word in SERVICES[service].get("command", ()))
        return [str(self.programs / "activity"), *words]

    def run(self, service: str, *arguments: str, fails: bool = False) -> str:
        """Run a command in the place of a service's own, as `docker compose run` does.

        Return what it prints.
        """
        command = [self.command(service)[0], *arguments] if arguments else self.command(service)
        done = subprocess.run(
            command,
            env=self.variables(service),
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        if (done.returncode == 0) == fails:
            raise AssertionError(f"{command} ended with {done.returncode}: {done.stdout}\n{done.stderr}")
        return done.stderr if fails else done.stdout

    @contextmanager
    def running(self, *services: str) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
        """Run services until the end of the block; their logs are in the folder."""
        started: dict[str, subprocess.Popen[bytes]] = {}
        with ExitStack() as stack:
            for service in services:
                log = stack.enter_context((self.folder / f"{service}.log").open("wb"))
                started[service] = subprocess.Popen(
                    self.command(service),
                    env=self.variables(service),
                    cwd=self.folder,
                    stdout=log,
                    stderr=log,
                )
            try:
                yield started
            finally:
                for process in started.values():
                    process.terminate()
                for process in started.values():
                    process.wait(60)

    def log(self, service: str) -> str:
        """Return what a service logged."""
        return (self.folder / f"{service}.log").read_text(errors="replace")


def _instruction(name: str) -> str:
    return " ".join(re.findall(rf"^{name} (.*)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE))
