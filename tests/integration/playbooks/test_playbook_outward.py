"""What playbooks send out of the system, and what starts them by the clock and by hand."""

import base64
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import UUID

import psycopg
import pytest
from standardwebhooks import Webhook

from activity.settings import settings
from cli.dev.ports import free_port
from db.claim import claim
from db.engine import EVERY_TENANT, begin
from db.playbooks.runs import RUNS, PlaybookRun
from db.records import records
from db.records.records import Account
from producers.playbooks import operate
from producers.playbooks.advance import MAX_ATTEMPTS, advance, advance_batch
from producers.playbooks.schedule import sweep
from producers.playbooks.start import handle
from producers.playbooks.tasks import FOLLOWER
from tests.mailserver import Sink, running
from tests.plays import World, playbook
from worker.append import append_batch
from worker.follow import follow_once

SECRET = "whsec_" + base64.b64encode(b"a secret of 24 bytes or so").decode()


class Hook(ThreadingHTTPServer):
    """A webhook receiver that answers as it is told, and keeps what it got."""

    def __init__(self) -> None:
        self.on_request: Callable[[], object] = lambda: None
        self.answers: list[int] = []
        self.retry_after: str | None = None
        self.got: list[tuple[dict[str, str], bytes]] = []
        super().__init__(("127.0.0.1", 0), _Receive)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_port}/hook?token=hidden"


class _Receive(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        """Keep the request and answer."""
        assert isinstance(self.server, Hook)
        self.server.on_request()
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
        self.send_response(self.server.answers.pop(0) if self.server.answers else 204)
        if self.server.retry_after:
            self.send_header("retry-after", self.server.retry_after)
        self.end_headers()

    def log_message(self, *args: Any) -> None:
        """Be quiet."""


@pytest.fixture
def hook() -> Iterator[Hook]:
    """A receiver on 127.0.0.1."""
    with Hook() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def world(admin: psycopg.Connection[Any], tenant: int, monkeypatch: pytest.MonkeyPatch) -> World:
    """A workspace that may reach this machine and has a secret."""
    monkeypatch.setenv("ACTIVITY_OUTBOUND_ALLOW", "127.0.0.0/8")
    monkeypatch.setenv("ACTIVITY_WEBHOOK_SECRETS", json.dumps({"crm": SECRET}))
    settings.cache_clear()
    return World(admin, tenant)


def reasons(world: World) -> list[tuple[Any, ...]]:
    return world.sql("select state, attempts, reason from playbook.run")


def test_a_webhook_is_signed_and_says_what_happened(world: World, hook: Hook) -> None:
    world.play(
        playbook(
            f"  - {{do: call_webhook, url: '{hook.url}', secret: crm,"
            " data: {text: 'Hi {{ account.name }}', n: 3}}"
        )
    )
    world.say()
    world.settle()
    assert reasons(world) == [("completed", 0, None)]
    ((headers, body),) = hook.got
    message = Webhook(SECRET).verify(body, headers)
    assert (
        message["data"] | {"text": "Hi Acme", "n": 3, "account_id": "acme", "playbook": "Play"}
        == message["data"]
    )
    assert world.sql(
        "select count(*) from activity.event where payload::text like '%%hidden%%' and source = 'playbook'"
    ) == [(0,)]


def test_the_data_of_a_webhook_is_filled_in_however_deep_and_keeps_its_types(
    world: World, hook: Hook
) -> None:
    data = """{nested: {name: '{{ account.name }}', list: [1, '{{ 3 + 4 }}', {a: '{{ 1 < 2 }}'}]},
               n: '{{ 7 }}', text: 'seven is {{ 7 }}', none: null, playbook: Other, account_id: other}"""
    world.play(playbook(f"  - {{do: call_webhook, url: '{hook.url}', data: {data}}}"))
    world.say()
    world.settle()
    ((headers, body),) = hook.got
    sent = json.loads(body)["data"]
    assert sent["nested"] == {"name": "Acme", "list": [1, 7, {"a": True}]}
    assert (sent["n"], sent["text"], sent["none"]) == (7, "seven is 7", None)
    assert (sent["playbook"], sent["account_id"]) == ("Play", "acme")
    assert UUID(headers["webhook-id"].split("_")[1]).version


@pytest.mark.parametrize(
    ("after", "least"),
    [("120", 100), ("soon", 5), ("Thu, 01 Jan 2099 00:00:00 GMT", 7e3), ("9" * 30, 7e3)],
)
def test_a_receiver_that_asks_to_be_left_alone_is(world: World, hook: Hook, after: str, least: float) -> None:
    hook.answers, hook.retry_after = [429], after
    world.play(playbook(f"  - {{do: call_webhook, url: '{hook.url}'}}"))
    world.say()
    world.settle()
    ((seconds,),) = world.sql("select extract(epoch from due_at - now())::int from playbook.run")
    assert least < seconds <= 7_200


def test_a_webhook_that_moved_fails_at_once(world: World, hook: Hook) -> None:
    hook.answers = [301]
    world.play(playbook(f"  - {{do: call_webhook, url: '{hook.url}'}}"))
    world.say()
    world.settle()
    assert reasons(world) == [("failed", 1, "the webhook answered 301")]


def test_a_webhook_that_fails_is_called_again_later_with_the_same_id(world: World, hook: Hook) -> None:
    hook.answers = [500, 503, 200]
    world.play(playbook(f"  - {{do: call_webhook, url: '{hook.url}'}}\n  - {{do: add_note, text: x}}"))
    world.say()
    world.settle()
    assert reasons(world) == [("running", 1, "attempt 1: the webhook answered 500")]
    for _ in range(2):
        world.pass_time()
        world.settle()
    assert reasons(world) == [("completed", 0, None)]
    assert len({headers["webhook-id"] for headers, _ in hook.got}) == 1
    assert len(hook.got) == 3
    assert world.types()["playbook.step_completed"] == 2


def test_a_webhook_that_never_works_fails_the_run_until_it_is_retried(world: World, hook: Hook) -> None:
    hook.answers = [500] * MAX_ATTEMPTS
    world.play(playbook(f"  - {{do: call_webhook, url: '{hook.url}'}}"))
    world.say()
    for _ in range(MAX_ATTEMPTS + 2):
        world.settle()
        world.pass_time()
    assert len(hook.got) == MAX_ATTEMPTS
    assert reasons(world) == [("failed", MAX_ATTEMPTS, "the webhook answered 500")]
    with begin("producer", world.tenant) as session:
        operate.act(
            session,
            world.tenant,
            world.sql("select id from playbook.run")[0][0],
            "retry",
            "ana@vendor.example",
        )
    world.settle()
    assert world.states() == ["completed"]


@pytest.mark.parametrize(
    ("step", "reason"),
    [
        ("url: 'http://169.254.169.254/latest'", "169.254.169.254"),
        ("url: 'http://10.0.0.1/'", "10.0.0.1"),
        ("url: '{url}', secret: other", "no secret 'other': add it to ACTIVITY_WEBHOOK_SECRETS"),
    ],
)
def test_a_webhook_that_may_not_be_called_fails_at_once(
    world: World, hook: Hook, step: str, reason: str
) -> None:
    world.play(playbook(f"  - {{do: call_webhook, {step.replace('{url}', hook.url)}}}"))
    world.say()
    world.settle()
    ((state, attempts, said),) = reasons(world)
    assert (state, attempts) == ("failed", 1)
    assert reason in said
    assert hook.got == []


def claim_call(world: World, hook: Hook) -> PlaybookRun:
    """Return a claimed run whose first step calls the webhook."""
    world.play(playbook(f"  - {{do: call_webhook, url: '{hook.url}'}}"))
    world.say()
    append_batch(10)
    follow_once(FOLLOWER, handle)
    with begin("producer", EVERY_TENANT) as session:
        (run,) = claim(session, RUNS, 10)
    return run


def test_nothing_is_sent_for_a_run_that_was_cancelled_while_it_waited_for_its_turn(
    world: World, hook: Hook
) -> None:
    run = claim_call(world, hook)
    with begin("producer", world.tenant) as session:
        operate.act(session, world.tenant, run.id, "cancel", "ana@vendor.example")
    assert advance(run, sends=True) == "lost"
    assert hook.got == []


def test_a_run_is_sent_once_where_its_lease_ended_while_it_waited_for_its_turn(
    world: World, hook: Hook
) -> None:
    late = claim_call(world, hook)
    world.pass_time()
    with begin("producer", EVERY_TENANT) as session:
        (held,) = claim(session, RUNS, 10)
    assert (advance(late, sends=True), advance(held, sends=True)) == ("lost", "completed")
    assert len(hook.got) == 1


def test_no_other_worker_gets_a_run_while_its_step_is_sent(world: World, hook: Hook) -> None:
    run, others = claim_call(world, hook), []
    world.pass_time()  # the lease has ended, and nobody has claimed the run
    hook.on_request = lambda: others.append(advance_batch())
    assert advance(run, sends=True) == "completed"
    assert others == [{}]
    assert len(hook.got) == 1


def test_a_password_is_not_sent_to_a_mail_server_without_tls(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(Sink(), free_port()) as sink:
        monkeypatch.setenv("ACTIVITY_NOTIFY_SMTP_URL", f"smtp://ana:hidden@127.0.0.1:{sink.port}")
        settings.cache_clear()
        world.play(playbook("  - {do: notify, via: email, to: manager, message: x}"))
        world.say()
        world.settle()
    ((state, attempts, reason),) = reasons(world)
    assert (state, attempts) == ("failed", 1)
    assert "STARTTLS" in reason
    assert "hidden" not in reason
    assert sink.mails() == []


def test_an_owner_who_is_no_address_fails_the_run(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACTIVITY_NOTIFY_SMTP_URL", "smtp://127.0.0.1:1")
    settings.cache_clear()
    world.admin.execute("update crm.account set owner_email = %s", (chr(10).join(("ana", "Bcc: x")),))
    world.play(playbook("  - {do: notify, via: email, message: x}"))
    world.say()
    world.settle()
    ((state, _, reason),) = reasons(world)
    assert (state, "is not a valid e-mail address" in reason) == ("failed", True)


def test_a_notification_goes_out_by_mail(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    with running(Sink(), free_port()) as sink:
        monkeypatch.setenv("ACTIVITY_NOTIFY_SMTP_URL", f"smtp://127.0.0.1:{sink.port}")
        settings.cache_clear()
        world.play(
            playbook(
                '  - {do: notify, via: email, to: manager, message: "Look at {{ account.name }}\\nBcc: '
                'x@y.example"}'
            )
        )
        world.say()
        world.settle()
    assert world.states() == ["completed"]
    (mail,) = sink.mails()
    assert (mail["To"], mail["Subject"], mail["Bcc"]) == ("bo@vendor.example", "Play: Look at Acme", None)
    assert "Bcc: x@y.example" in mail.get_content()


def test_a_schedule_starts_once_a_moment_for_each_record_that_meets_the_conditions(world: World) -> None:
    with begin("producer", world.tenant) as session:
        records.upsert(
            session,
            world.tenant,
            [Account(id=f"a{n}", fields={"tier": "gold" if n % 2 else "tin"}) for n in range(1_200)],
        )
    trigger = 'schedule: "0 8 * * 1-5"\n  for_each: account'
    world.play(
        playbook(
            "  - {do: create_task, title: '{{ account.id }}'}",
            "conditions: ['account.fields.tier == \"gold\"']",
            trigger,
        )
    )
    assert not sweep()
    for _ in range(2):
        world.admin.execute("update playbook.playbook set due_at = now()")
        while sweep():
            pass
        world.settle()
    runs = world.sql(
        "select count(*), count(distinct account_id) from playbook.run where state = 'completed'"
    )
    assert runs == [(601, 601)], "the moment came once, however often it was due"
    assert world.sql("select extract(hour from due_at at time zone 'UTC')::int from playbook.playbook") == [
        (8,)
    ]


def test_a_playbook_started_by_hand_runs_for_the_record_named(world: World) -> None:
    world.play(
        playbook("  - {do: add_note, text: 'for {{ contact.name }}'}", "once_per: contact", "manual: true")
    )
    with begin("producer", world.tenant) as session:
        assert operate.start(session, world.tenant, "Play", "contact", "jo", "ana@vendor.example")
        assert not operate.start(session, world.tenant, "Play", "contact", "jo", "ana@vendor.example")
    world.settle()
    assert world.sql(
        "select payload->>'text', account_id, contact_id from activity.event where type = 'note.added'"
    ) == [("for Jo Park", "acme", "jo")]


def test_enrichment_is_asked_for_with_the_play_as_its_cause(world: World) -> None:
    world.play(playbook("  - {do: enrich, record: account}"))
    world.say()
    world.settle()
    assert reasons(world) == [("completed", 0, None)]
    assert world.types()["playbook.step_completed"] == 1
