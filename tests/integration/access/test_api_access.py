"""Who may do what over HTTP."""

import asyncio
import json
import re
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import httpx
import jwt
import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from typer.testing import CliRunner

from activity.errors import SettingMissing
from activity.settings import settings
from api.access.limits import Buckets
from api.http.app import create_app
from cli.main import app as command
from db import access
from db.engine import begin

Send = Callable[..., httpx.Response]
SECRET = "a shared secret of thirty-two bytes"


def with_scopes(tenant: int, *scopes: str) -> str:
    made = access.new_key()
    with begin("producer", tenant) as session:
        access.add_key(session, tenant, made, "-".join(scopes) or "none", scopes)
    return made


def token(tenant: Any, secret: str = SECRET, **claims: Any) -> str:
    said = {
        "tenant": tenant,
        "email": "ana@example.com",
        "roles": ["member"],
        "exp": time.time() + 60,
        **claims,
    }
    return jwt.encode({name: value for name, value in said.items() if value is not None}, secret, "HS256")


@pytest.fixture
def jwt_secret(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> None:
    """A host CRM that signs tokens with a shared secret."""
    monkeypatch.setenv("ACTIVITY_JWT_SECRET", SECRET)
    settings.cache_clear()


NOTE = {"text": "hello"}


def test_without_a_credential_nothing_is_answered(send: Send) -> None:
    for method, path in (
        ("GET", "/v1/events"),
        ("GET", "/v1/stream"),
        ("POST", "/v1/events"),
        ("PUT", "/v1/accounts/a"),
        ("GET", "/v1/types"),
    ):
        answer = send(method, path, {}, Authorization="")
        assert (answer.status_code, answer.json()["type"], answer.headers["www-authenticate"]) == (
            401,
            "/problems/unauthenticated",
            "Bearer",
        )
    assert send("GET", "/v1/events", Authorization="Bearer act_wrong").status_code == 401
    assert send("GET", "/v1/events", Authorization="Basic YTpi").status_code == 401


def test_a_key_may_do_what_its_scopes_say_and_no_more(send: Send, tenant: int) -> None:
    wanted = {
        ("GET", "/v1/events"): "read",
        ("POST", "/v1/accounts/a/notes"): "write",
        ("PUT", "/v1/accounts/a"): "records",
    }
    for scope in access.SCOPES:
        key = with_scopes(tenant, scope)
        for (method, path), needed in wanted.items():
            answer = send(
                method, path, {"text": "x"} if method == "POST" else {}, Authorization=f"Bearer {key}"
            )
            assert (answer.status_code == 403) is (scope != needed), (scope, path, answer.text)


def test_a_key_is_kept_as_a_hash_and_its_use_is_noted(
    send: Send, key: str, admin: psycopg.Connection[Any]
) -> None:
    send("GET", "/v1/events")
    row = admin.execute("select k::text, last_used_at from crm.api_key k").fetchone()
    assert row is not None
    assert key not in row[0]
    assert row[1] is not None


def test_a_rotated_key_works_beside_the_new_one_until_its_end_and_a_revoked_one_not_at_all(
    send: Send, tenant: int
) -> None:
    old, new, newest = with_scopes(tenant, "read"), access.new_key(), access.new_key()
    with begin("producer", tenant) as session:
        key_id = access.list_keys(session, tenant)[0].id
        rotated = access.rotate_key(session, tenant, key_id, new, timedelta(hours=1))
    assert [send("GET", "/v1/events", Authorization=f"Bearer {key}").status_code for key in (old, new)] == [
        200,
        200,
    ]
    with begin("producer", tenant) as session:
        access.rotate_key(session, tenant, rotated.id, newest, timedelta(0))
        access.revoke_key(session, tenant, key_id)
    assert [
        send("GET", "/v1/events", Authorization=f"Bearer {key}").status_code for key in (old, new, newest)
    ] == [401, 401, 200]


def test_the_command_makes_lists_rotates_and_revokes_keys(send: Send, tenant: int) -> None:
    def run(*words: str) -> str:
        result = CliRunner().invoke(command, ["key", *words, "--tenant", str(tenant)])
        assert result.exit_code == 0, result.output
        return result.stdout

    made = json.loads(run("add", "shop", "--scope", "write", "--scope", "read", "--json"))
    assert send("GET", "/v1/events", Authorization=f"Bearer {made['key']}").status_code == 200
    rotated = json.loads(run("rotate", str(made["id"]), "--overlap", "0", "--json"))
    assert send("GET", "/v1/events", Authorization=f"Bearer {made['key']}").status_code == 401
    assert send("GET", "/v1/events", Authorization=f"Bearer {rotated['key']}").status_code == 200
    run("revoke", str(rotated["id"]))
    listed = run("list", "--json")
    assert made["key"] not in listed
    assert {key["name"] for key in json.loads(listed)} == {"shop", "tests"}


@pytest.mark.usefixtures("jwt_secret")
def test_a_user_of_the_host_acts_as_themselves_alone(send: Send, tenant: int) -> None:
    user = f"Bearer {token(tenant)}"
    assert send("POST", "/v1/accounts/a/notes", NOTE, Authorization=user).status_code == 201
    assert (
        send(
            "POST", "/v1/accounts/a/notes", NOTE | {"actor": "ana@example.com"}, Authorization=user
        ).status_code
        == 201
    )
    assert (
        send(
            "POST", "/v1/accounts/a/notes", NOTE | {"actor": "bo@example.com"}, Authorization=user
        ).status_code
        == 403
    )
    event = {"type": "note.added", "account_id": "a", "payload": NOTE}
    assert send("POST", "/v1/events", event | {"source": "sequence"}, Authorization=user).status_code == 422
    assert send("PUT", "/v1/accounts/a", {}, Authorization=user).status_code == 403


@pytest.mark.usefixtures("jwt_secret")
def test_a_token_is_taken_only_whole_valid_and_of_a_known_workspace(
    send: Send, tenant: int, admin: psycopg.Connection[Any]
) -> None:
    row = admin.execute("select slug from crm.tenant where id = %s", (tenant,)).fetchone()
    assert row is not None
    good = [token(tenant), token(row[0]), token(tenant, roles=None, scope="read")]
    bad = [
        token(tenant, secret="another secret of thirty-two bytes"),
        token(tenant, exp=time.time() - 60),
        token(tenant, exp=None),
        token(999_999),
        token(str(tenant)),
        token(True),
        token(float(tenant)),
        token([tenant]),
        token(None),
        token(tenant, email="system"),
        token(tenant, email=None),
        token(tenant, aud="another service"),
        jwt.encode({"tenant": tenant, "email": "ana@example.com", "exp": time.time() + 60}, "", "none"),
        "a.b.c",
    ]
    assert [send("GET", "/v1/events", Authorization=f"Bearer {one}").status_code for one in good] == [
        200
    ] * len(good)
    assert [send("GET", "/v1/events", Authorization=f"Bearer {one}").status_code for one in bad] == [
        401
    ] * len(bad)
    assert (
        send("GET", "/v1/events", Authorization=f"Bearer {token(tenant, roles=['stranger'])}").status_code
        == 403
    )


def test_a_token_signed_with_a_published_key_is_taken_and_that_key_is_no_shared_secret(
    send: Send, tenant: int, monkeypatch: pytest.MonkeyPatch, free_port: int
) -> None:
    private = rsa.generate_private_key(65537, 2048)
    public = jwt.algorithms.RSAAlgorithm.to_jwk(private.public_key(), as_dict=True) | {
        "kid": "k1",
        "use": "sig",
    }

    class Host(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({"keys": [public]}).encode())

        def log_message(self, *_: Any) -> None:
            pass

    host = HTTPServer(("127.0.0.1", free_port), Host)
    thread = threading.Thread(target=host.serve_forever)
    thread.start()
    monkeypatch.setenv("ACTIVITY_JWT_JWKS_URL", f"http://127.0.0.1:{free_port}/jwks")
    settings.cache_clear()
    claims = {"tenant": tenant, "email": "ana@example.com", "scope": "read", "exp": time.time() + 60}
    try:
        signed = jwt.encode(claims, private, "RS256", {"kid": "k1"})
        assert send("GET", "/v1/events", Authorization=f"Bearer {signed}").status_code == 200
        forged = jwt.encode(claims, public["n"], "HS256", {"kid": "k1"})
        assert send("GET", "/v1/events", Authorization=f"Bearer {forged}").status_code == 401
    finally:
        host.shutdown()
        thread.join()
        host.server_close()


def test_the_page_signs_in_writes_with_its_csrf_token_and_signs_out(key: str) -> None:
    async def scene() -> None:
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(create_app()), base_url="https://api"
        ) as page:
            assert (await page.get("/v1/session")).status_code == 401
            assert (await page.post("/v1/session", json={"key": "wrong"})).status_code == 401
            signed_in = await page.post("/v1/session", json={"key": key})
            assert isinstance(signed_in.json()["tenant"], int)  # what a browser keeps is kept for both
            cookie = signed_in.headers["set-cookie"]
            assert all(word in cookie for word in ("HttpOnly", "SameSite=lax", "Secure"))
            assert key not in cookie
            csrf = signed_in.json()["csrf"]
            assert (await page.get("/v1/session")).json() == signed_in.json()
            assert (await page.get("/v1/events")).status_code == 200
            for wrong in ({}, {"X-CSRF-Token": "wrong"}, {"X-CSRF-Token": ""}):
                refused = await page.post("/v1/accounts/a/notes", json=NOTE, headers=wrong)
                assert (refused.status_code, refused.json()["type"]) == (403, "/problems/csrf")
            assert (
                await page.post("/v1/accounts/a/notes", json=NOTE, headers={"X-CSRF-Token": csrf})
            ).status_code == 201
            assert (await page.delete("/v1/session", headers={"X-CSRF-Token": csrf})).status_code == 204
            assert (await page.get("/v1/events")).status_code == 401

    asyncio.run(scene())


def test_a_session_that_was_signed_out_is_over_in_every_process_whoever_kept_its_cookie(key: str) -> None:
    async def scene() -> None:
        here, elsewhere = (httpx.ASGITransport(create_app()) for _ in range(2))
        async with (
            httpx.AsyncClient(transport=here, base_url="https://api") as page,
            httpx.AsyncClient(transport=elsewhere, base_url="https://api") as other,
        ):
            csrf = (await page.post("/v1/session", json={"key": key})).json()["csrf"]
            cookie = {"Cookie": f"activity_session={page.cookies['activity_session']}"}
            assert (await page.get("/v1/events", headers=cookie)).status_code == 200
            await page.delete("/v1/session", headers={"X-CSRF-Token": csrf})
            for one in (page, other):
                assert (await one.get("/v1/events", headers=cookie)).status_code == 401

    asyncio.run(scene())


@pytest.mark.parametrize("name", ["ACTIVITY_JWT_SECRET", "ACTIVITY_SESSION_SECRET"])
def test_a_server_with_a_secret_that_can_be_guessed_does_not_start(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "s" * 31)
    settings.cache_clear()
    with pytest.raises(SettingMissing, match=f"{name} is too short"):
        create_app()


def test_a_token_of_the_host_is_no_session_even_where_both_have_one_secret(
    key: str, tenant: int, send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACTIVITY_JWT_SECRET", SECRET)
    monkeypatch.setenv("ACTIVITY_SESSION_SECRET", SECRET)
    settings.cache_clear()
    claims: dict[str, Any] = {
        "csrf": "",
        "key": None,
        "name": "user:eve",
        "actor": "eve@example.com",
        "scopes": ["read"],
    }
    claims |= {"tenant": tenant, "exp": time.time() + 60, "jti": str(uuid4())}
    made = jwt.encode(claims, SECRET, "HS256")
    assert send("GET", "/v1/events", Authorization="", Cookie=f"activity_session={made}").status_code == 401


def test_a_cookie_is_secure_where_people_reach_the_page_by_tls_whoever_speaks_it(
    key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACTIVITY_PUBLIC_URL", "https://crm.example")
    settings.cache_clear()

    async def scene() -> None:
        transport = httpx.ASGITransport(create_app())
        async with httpx.AsyncClient(transport=transport, base_url="http://api") as page:
            signed_in = await page.post("/v1/session", json={"key": key})
            assert "Secure" in signed_in.headers["set-cookie"]

    asyncio.run(scene())


def test_a_session_ends_with_the_key_it_was_begun_with_and_a_forged_one_is_none(
    key: str, tenant: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.access.callers._CACHED_S", 0.0)

    async def scene() -> None:
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(create_app()), base_url="http://api"
        ) as page:
            await page.post("/v1/session", json={"key": key})
            forged = jwt.encode(
                {"exp": time.time() + 60, "csrf": "", "key": None, "tenant": tenant, "scopes": ["read"]},
                "x" * 32,
                "HS256",
            )
            with begin("producer", tenant) as session:
                access.revoke_key(session, tenant, access.list_keys(session, tenant)[0].id)
            assert (await page.get("/v1/events")).status_code == 401
            assert (
                await page.get("/v1/events", headers={"Cookie": f"activity_session={forged}"})
            ).status_code == 401

    asyncio.run(scene())


def test_no_cache_keeps_an_answer_that_is_for_one_caller(send: Send) -> None:
    paths = [path for path, operations in create_app().openapi()["paths"].items() if "get" in operations]
    for path in set(paths) - {"/v1/stream", "/v1/types"}:
        said = send("GET", re.sub(r"\{[^}]+\}", "1", path)).headers.get("cache-control", "")
        assert said in ("no-store", "private, no-cache"), path
    assert send("GET", "/v1/types").headers["cache-control"].startswith("private")


# No caller to count for: a signature, or a credential in the body, admits these.
_WITHOUT_A_CALLER = {"/v1/session", "/v1/webhooks/{provider}/{source}"}


def test_every_operation_that_acts_counts_as_a_write_and_shows_the_quota(
    send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    acting = [
        (method.upper(), re.sub(r"\{[^}]+\}", "1", path))
        for path, operations in create_app().openapi()["paths"].items()
        if path not in _WITHOUT_A_CALLER
        for method in operations
        if method != "get"
    ]
    monkeypatch.setenv("ACTIVITY_WRITE_RATE", str(len(acting)))
    monkeypatch.setattr("api.access.limits._writes", Buckets())
    monkeypatch.setattr("api.access.limits.time", SimpleNamespace(monotonic=lambda: 0.0))  # nothing refills
    settings.cache_clear()
    shown = {operation: "ratelimit" in send(*operation, {}).headers for operation in acting}
    assert shown == dict.fromkeys(acting, True)
    refused = {operation: send(*operation, {}).status_code for operation in acting}
    assert refused == dict.fromkeys(acting, 429)
