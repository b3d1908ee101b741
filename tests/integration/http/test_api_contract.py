"""Every operation does what the OpenAPI description says, whatever it is sent.

No 5xx, no answer that is not described.
"""

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed
from hypothesis import settings as examples
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from api.http.app import create_app
from api.http.server import Server

# The stream ends with its client, and a mail is no format that examples are made of; both have tests of their
# own.
_APART = {"/v1/stream", "/v1/inbound/email"}


@pytest.fixture
def api(
    environment: dict[str, str], key: str, free_port: int, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Any]:
    """The schema of a running API."""
    monkeypatch.setenv("ACTIVITY_WRITE_RATE", "100000")
    from activity.settings import settings

    settings.cache_clear()
    server = Server(create_app(), "127.0.0.1", free_port)
    thread = threading.Thread(target=server.run)
    thread.start()
    deadline = time.monotonic() + 10
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.005)
    yield schemathesis.openapi.from_url(f"http://127.0.0.1:{free_port}/openapi.json")
    server.should_exit = True
    thread.join(10)


@pytest.mark.timeout(240)
def test_no_operation_breaks_its_description_or_the_server(api: Any, key: str, subtests: Any) -> None:
    for result in api.get_all_operations():
        operation = result.ok()
        if operation.path in _APART:
            continue

        @seed(1)
        @examples(
            max_examples=8,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def holds(case: Any) -> None:
            response = case.call(headers={"Authorization": f"Bearer {key}"})
            case.validate_response(
                response,
                checks=[
                    not_a_server_error,
                    status_code_conformance,
                    content_type_conformance,
                    response_schema_conformance,
                ],
            )

        with subtests.test(operation.label):
            holds()


def test_the_description_is_openapi_3_1_and_describes_the_frames_of_the_stream() -> None:
    described = create_app().openapi()
    assert described["openapi"].startswith("3.1")
    frames = described["paths"]["/v1/stream"]["get"]["responses"]["200"]["content"]["text/event-stream"]
    assert (
        frames["itemSchema"]["properties"]["data"]["contentSchema"]["$ref"] == "#/components/schemas/EventOut"
    )
    assert "EventOut" in described["components"]["schemas"]
