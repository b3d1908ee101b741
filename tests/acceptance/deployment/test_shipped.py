"""What is shipped runs.

The wheel with the pinned requirements alone, each service with the variables of docker-compose.yml.
"""

import json
import secrets
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from bench.servers import wait_until
from cli.dev.embedded import EmbeddedPostgres, EmbeddedValkey
from cli.dev.ports import free_port
from tests.mailserver import Sink, running
from tests.shipped import SERVICES, Deployment, install

STEADY = ("api", "append", "producers", "beat", "flower")
SECRETS = [
    "POSTGRES_PASSWORD",
    "VALKEY_PASSWORD",
    "FLOWER_PASSWORD",
    "ACTIVITY_SESSION_SECRET",
    "ACTIVITY_TRACKING_SECRET",
    "ACTIVITY_PRODUCER_PASSWORD",
    "ACTIVITY_WRITER_PASSWORD",
    "ACTIVITY_READER_PASSWORD",
    "ACTIVITY_AUDITOR_PASSWORD",
    "ACTIVITY_ERASER_PASSWORD",
]
SCOPES = ("--scope", "read", "--scope", "write", "--scope", "records")
SEQUENCE = """
name = "Hello"
mailbox = "ana@vendor.example"

[[steps]]
kind = "email"
[[steps.variants]]
subject = "Hello"
text = "Good morning. {{ unsubscribe_url }}"
"""


@pytest.fixture(scope="module")
def deployment() -> Iterator[Deployment]:
    """The services of docker-compose.yml, running; migrated by the service that does it."""
    with (
        tempfile.TemporaryDirectory(prefix="activity-shipped-") as name,
        EmbeddedPostgres(Path(name) / "pg") as postgres,
        EmbeddedValkey(Path(name) / "vk") as valkey,
    ):
        folder = Path(name)
        given = {secret: secrets.token_hex(16) for secret in SECRETS}
        given |= {"POSTGRES_PASSWORD": postgres.password, "VALKEY_PASSWORD": valkey.password}
        given |= {"ACTIVITY_PUBLIC_URL": "https://crm.example.com"}
        shipped = Deployment(install(folder), folder, postgres, valkey, given)
        shipped.run("migrate")
        shipped.run("operator", "tenant", "add", "acme")
        with shipped.running(*STEADY):
            wait_until(lambda: _answers(f"{shipped.api}/readyz"), 60)
            yield shipped


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5).status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture(scope="module")
def client(deployment: Deployment) -> Iterator[httpx.Client]:
    """A client of the API with a key that the operator made."""
    made = json.loads(deployment.run("operator", "key", "add", "test", "--tenant", "acme", *SCOPES, "--json"))
    headers = {"authorization": f"Bearer {made['key']}"}
    with httpx.Client(base_url=deployment.api, headers=headers, timeout=30) as client:
        yield client


def _listed(client: httpx.Client, **which: str) -> Callable[[], bool]:
    return lambda: bool(client.get("/v1/events", params=which).raise_for_status().json()["data"])


def test_an_event_is_emitted_appended_and_read(client: httpx.Client) -> None:
    note = {"type": "note.added", "account_id": "acme", "payload": {"text": "Wants the annual plan"}}
    assert client.post("/v1/events", json=note).status_code in (200, 201, 202)
    wait_until(_listed(client, account="acme"), 30)


def test_the_page_is_served(deployment: Deployment) -> None:
    page = httpx.get(deployment.api)
    assert page.status_code == 200
    assert "<activity-" in page.text or "<script" in page.text


def test_a_mail_is_sent_with_an_unsubscribe_link_that_recipients_can_reach(
    deployment: Deployment, client: httpx.Client
) -> None:
    sequence = deployment.folder / "hello.toml"
    sequence.write_text(SEQUENCE)
    client.put("/v1/contacts/pat", json={"name": "Pat", "email": "pat@customer.example"}).raise_for_status()
    sink = Sink()
    with running(sink, free_port()):
        deployment.run(
            "operator", "mailbox", "add", "ana@vendor.example", "--tenant", "acme", "--host", "127.0.0.1",
            "--port", str(sink.port), "--security", "none",
        )  # fmt: skip
        deployment.run("operator", "sequence", "add", str(sequence), "--tenant", "acme")
        deployment.run("operator", "sequence", "enroll", "Hello", "pat", "--tenant", "acme")
        wait_until(lambda: bool(sink.taken), 90)
    assert b"https://crm.example.com/u/" in sink.taken[0][1]


def test_a_webhook_becomes_an_event(deployment: Deployment, client: httpx.Client) -> None:
    added = deployment.run("operator", "source", "add", "resend", "--tenant", "acme", "--unsigned", "--json")
    path = json.loads(added)["url"].removeprefix("https://crm.example.com")
    told = {
        "type": "email.bounced",
        "created_at": "2026-11-25T09:00:00Z",
        "data": {
            "email_id": "e1",
            "to": ["quinn@customer.example"],
            "subject": "Hello",
            "bounce": {"type": "Permanent", "subType": "General", "message": "550 5.1.1 no such user"},
        },
    }
    assert client.post(path, json=told).status_code == 200
    wait_until(_listed(client, type="email.bounced"), 30)


@pytest.mark.parametrize("command", ["verify", "checkpoint", "rejected", "doctor"])
def test_the_operator_can(deployment: Deployment, command: str) -> None:
    deployment.run("operator", command)


def test_the_operator_can_erase_a_person(deployment: Deployment, client: httpx.Client) -> None:
    client.put("/v1/contacts/ria", json={"name": "Ria", "email": "ria@customer.example"}).raise_for_status()
    deployment.run("operator", "erase", "ria", "--tenant", "acme", "--actor", "dpo@example.com", "--yes")
    assert client.get("/v1/contacts/ria").status_code == 404


def test_flower_answers_whoever_has_its_password_alone(deployment: Deployment) -> None:
    page = f"http://127.0.0.1:{deployment.flower_port}/workers"
    wait_until(lambda: _answers(f"http://127.0.0.1:{deployment.flower_port}/healthcheck"), 30)
    assert httpx.get(page).status_code == 401
    assert httpx.get(page, auth=("operator", deployment.secrets["FLOWER_PASSWORD"])).status_code == 200


def test_no_service_logged_a_traceback(deployment: Deployment) -> None:
    assert [name for name in STEADY if "Traceback" in deployment.log(name)] == []


def test_every_service_of_ours_is_run_here() -> None:
    ours = {name for name, service in SERVICES.items() if service["image"] == "crm-activity"}
    assert ours == {*STEADY, "migrate", "operator"}
