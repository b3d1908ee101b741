"""No operation ignores a query parameter: what it does not know it refuses, and tells the nearest name."""

from collections.abc import Callable
from uuid import uuid4

import httpx
import pytest

from api.http.app import OPEN_ROUTERS, create_app

Send = Callable[..., httpx.Response]

# Where others write the address: providers, mail programs, whoever asks for health.
OPEN = {route.path for router in OPEN_ROUTERS for route in router.routes}  # type: ignore[attr-defined]  # all have one


def test_every_operation_refuses_a_parameter_that_it_does_not_know(send: Send) -> None:
    checked = 0
    for path, operations in create_app().openapi()["paths"].items():
        filled = "/".join(str(uuid4()) if part[:1] == "{" else part for part in path.split("/"))
        for method in operations if path not in OPEN else ():
            answer = send(method.upper(), f"{filled}?zzz=1")
            assert answer.status_code == 400, f"{method} {path}: {answer.text}"
            assert answer.json()["errors"][0]["pointer"] == "#/query/zzz", path
            checked += 1
    assert checked > 30


@pytest.mark.parametrize(
    ("query", "meant"),
    [
        ("acount=acme", "account"),
        ("contact_id=pat", "contact"),
        ("types=note.added", "type"),
        ("Limit=3", "limit"),
        ("account=acme&untill=2026-01-01T00:00:00Z", "until"),
    ],
)
def test_a_misspelt_filter_names_the_right_one_and_lists_nothing(send: Send, query: str, meant: str) -> None:
    for path in ("/v1/events", "/v1/events/counts")[: 1 if meant == "limit" else 2]:
        answer = send("GET", f"{path}?{query}")
        assert answer.status_code == 400
        assert f"did you mean {meant}?" in answer.json()["detail"]


def test_titles_of_types_are_in_the_language_asked_for(send: Send) -> None:
    def title(query: str) -> str:
        found = send("GET", f"/v1/types{query}").json()["data"]
        return next(str(known["title"]) for known in found if known["name"] == "event.corrected")

    assert [title(""), title("?locale=de"), title("?locale=fr")] == [
        "Event corrected",
        "Ereignis berichtigt",
        "Event corrected",
    ]
