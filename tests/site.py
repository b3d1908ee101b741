"""A deployment for browser tests to look at: the server as a process of its own, and ways to say events."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from celery import Celery
from playwright.sync_api import Page

from cli.dev.ports import free_port

ROOT = Path(__file__).parents[1]
ACTIVITY = [sys.executable, "-c", "from cli.main import app; app()"]
Open = Callable[..., Page]


def until(condition: Callable[[], Any], seconds: float = 20) -> Any:
    """Wait for a condition and return what it gave."""
    deadline = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
    return result


class Site:
    """A running deployment with one workspace."""

    def __init__(self, variables: dict[str, str], database: str, broker: str) -> None:
        self.variables = {
            **{name: value for name, value in os.environ.items() if not name.startswith("ACTIVITY_")},
            **variables,
        }
        self.database = database
        self.broker = broker
        self.port = free_port()
        self.crm_port = free_port()  # where another site's pages are
        self.url = f"http://127.0.0.1:{self.port}"
        self.server: subprocess.Popen[bytes] | None = None
        self.run("tenant", "add", "acme")
        self.tenant = int(self.query("select id from crm.tenant where slug = 'acme'")[0][0])
        self.key = self.make_key("everything", "read", "write", "records")

    def run(self, *arguments: str) -> str:
        return subprocess.run(
            [*ACTIVITY, *arguments], env=self.variables, check=True, capture_output=True, text=True, cwd=ROOT
        ).stdout

    def make_key(
        self, name: str, *scopes: str, tenant: str = "acme", actor: str = "ana.ruiz@vendor.example"
    ) -> str:
        options = [option for scope in scopes for option in ("--scope", scope)]
        return self.run("key", "add", name, "--tenant", tenant, "--actor", actor, *options).split()[-1]

    def query(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.database, autocommit=True) as connection:
            result = connection.execute(statement, values)
            return result.fetchall() if result.description else []

    def serve(self) -> None:
        command = [*ACTIVITY, "serve", "--port", str(self.port)]
        self.server = subprocess.Popen(command, env=self.variables, cwd=ROOT, stdout=subprocess.DEVNULL)
        until(self.is_up, 60)  # it imports much, on cores that others use too

    def is_up(self) -> bool:
        assert self.server is not None
        assert self.server.poll() is None, "the server ended: see what `activity serve` says"
        with suppress(httpx.TransportError):
            return httpx.get(f"{self.url}/healthz", timeout=5).status_code == 200
        return False

    def kill(self) -> None:
        if self.server is not None:
            self.server.kill()
            self.server.wait()
            self.server = None

    def call(self, method: str, path: str, content: Any = None, **headers: str) -> Any:
        answer = httpx.request(
            method,
            f"{self.url}/v1/{path}",
            json=content,
            headers={"Authorization": f"Bearer {self.key}", **headers},
            timeout=10,
        )
        assert answer.is_success, answer.text
        return answer.json()

    def say(self, type: str, payload: dict[str, Any], account: str, **fields: Any) -> Any:
        """Say one event and return its receipt once it is in the log."""
        event = {"type": type, "payload": payload, "account_id": account, **fields}
        receipt = self.call("POST", "events", event, Prefer="wait=5")
        return receipt if receipt["seq"] else pytest.fail(f"not appended: {receipt}")

    def say_all(self, events: list[dict[str, Any]]) -> None:
        """Say many events and wait until all of them are in the log."""
        ids = [one["event_id"] for one in self.call("POST", "events", events)["receipts"]]
        until(
            lambda: (
                self.query("select count(*) from activity.event where event_id = any(%s::uuid[])", ids)
                == [(len(ids),)]
            )
        )

    def follow(self) -> None:
        """Let those who follow the log read it to its end: the index of what is said, and the touches."""
        work = (
            "from producers.log.tasks import index_events as index;"
            "from producers.records.tasks import note_touches as note; index(); note()"
        )
        subprocess.run([sys.executable, "-c", work], env=self.variables, check=True, cwd=ROOT)

    def say_by_message(self, events: list[dict[str, Any]]) -> None:
        """Say events without the server, as a program that shares only the broker does."""
        with Celery(broker=self.broker) as app:
            app.send_task(
                "activity.append",
                kwargs={"events": [{"tenant_id": self.tenant, "source": "crm", **one} for one in events]},
                queue="append",
            )
