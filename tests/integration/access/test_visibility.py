"""What an e-mail says is for its participants and their managers: by every door, for every kind of caller."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any

import httpx
import psycopg
import pytest

from activity.event import Event
from activity.event_type import Audience
from api.http.app import create_app
from db import access
from db.engine import begin
from db.records import records
from db.records.records import Member
from producers.log.search import handle as index
from producers.log.tasks import INDEXER
from producers.records.contents import decide
from tests.plays import World, playbook
from tests.streams import serving, stream
from worker.append import append_batch
from worker.emit import emit
from worker.follow import follow_once

SECRET = "falcon"
READ = ("read", "write")
READERS = {
    "sender": ("ana@v.example", READ),
    "manager": ("boss@v.example", READ),
    "manager of the manager": ("chief@v.example", READ),
    "program for contents": ("system", (*READ, "contents")),
}
OTHERS = {
    "colleague": ("ben@v.example", READ),
    "program without an actor": ("system", READ),
    "program of all other scopes": ("system", ("read", "write", "records")),
}
MEMBERS = [
    Member(email="ana@v.example", manager_email="Boss@v.example"),
    Member(email="boss@v.example", manager_email="chief@v.example"),
    Member(email="chief@v.example", manager_email="boss@v.example"),  # a circle ends too
    Member(email="ben@v.example", manager_email="other@v.example"),
]


def record(*events: Event) -> None:
    with begin("producer") as session:
        emit(session, events)
    while append_batch(1000) or follow_once(INDEXER, index):
        pass


def conversation(tenant: int, **sent: Any) -> list[Event]:
    """A mail, and all that can quote it: what came of it, what came of that, what was written about it."""

    def event(type_: str, cause: Event | None = None, **payload: Any) -> Event:
        about: dict[str, Any] = {"tenant_id": tenant, "account_id": "acme", "contact_id": "jo"}
        cause_id = cause.event_id if cause else None
        return Event(type=type_, source="crm", payload=payload, cause_id=cause_id, **about)

    between: dict[str, Any] = {"from_address": "Ana@V.example", "to_address": "jo@acme.example"}
    mail = event("email.sent", subject=SECRET, **between, **sent)
    run = event("playbook.started", mail, playbook="Win back", account_name=SECRET)
    about_it: dict[str, Any] = {"event_id": str(mail.event_id)}
    return [
        mail,
        run,
        event("email.opened", mail, subject=SECRET, recipient="jo@acme.example", machine=False),
        event("email.clicked", mail, url=f"https://v.example/{SECRET}"),
        event("email.replied", mail, excerpt=SECRET, from_address="jo@acme.example"),
        event("email.bounced", mail, reason=SECRET, bounce_type="soft"),
        event("comment.added", text=SECRET, **about_it),
        event("note.added", mail, text=SECRET),
        event("signal.detected", mail, signal=SECRET, evidence={"saw": SECRET}),
        event("task.created", run, title=SECRET),
        event("playbook.failed", run, playbook="Win back", reason=SECRET),
        event("acme.mail_filed", mail, any=SECRET),
        event("event.corrected", mail, correct={"subject": SECRET}, reason=SECRET, **about_it),
    ]


def key_of(tenant: int, who: tuple[str, Sequence[str]]) -> str:
    actor, scopes = who
    made = access.new_key()
    with begin("producer", tenant) as session:
        records.upsert(session, tenant, MEMBERS)
        access.add_key(session, tenant, made, f"{actor} {len(scopes)}", scopes, actor)
    return made


def decided(tenant: int, wanted: Audience) -> None:
    with begin("producer", tenant) as session:
        decide(session, tenant, wanted, "chief@v.example")
    record()


def doors(events: Sequence[Event]) -> Iterator[str]:
    """Every operation that reads, with each event in its path and in each part of its query."""
    ids = [str(event.event_id) for event in events]
    for path, operations in create_app().openapi()["paths"].items():
        if "get" not in operations or path == "/v1/stream":
            continue
        given = operations["get"].get("parameters", [])
        inside = [one["name"] for one in given if one["in"] == "path"]
        for id_ in ids if "{event_id}" in path else ["acme"]:
            filled = path
            for name in inside:
                filled = filled.replace(f"{{{name}}}", id_)
            yield filled
        yield from (f"{path}?{one['name']}={ids[0]}" for one in given if one["in"] == "query" and not inside)
    for asked in ("account=acme", "contact=jo", "order=recorded", "as_of=5", "type=email.*", "tab=email"):
        yield f"/v1/events?{asked}"
    yield from (f"/v1/events?around={id_}&locale=de" for id_ in ids)
    yield from (f"/v1/search?q={asked}" for asked in (SECRET, SECRET[:3], "falcom", "jo@acme.example"))


def read(key: str, paths: Iterator[str]) -> dict[str, httpx.Response]:
    async def scene() -> dict[str, httpx.Response]:
        transport, named = httpx.ASGITransport(create_app()), {"Authorization": f"Bearer {key}"}
        async with httpx.AsyncClient(transport=transport, base_url="http://api", headers=named) as client:
            cloud = {"Accept": "application/cloudevents-batch+json, application/cloudevents+json"}
            found = {}
            for path in paths:
                found[path] = await client.get(path)
                if path.startswith("/v1/events"):
                    found[f"{path} as CloudEvents"] = await client.get(path, headers=cloud)
            return found

    return asyncio.run(scene())


def streamed(key: str, port: int, number: int) -> list[str]:
    """What the stream sends of a log from its beginning."""

    async def scene() -> list[str]:
        async with stream(port, key, last_event_id="earliest") as reading:
            frames: list[str] = []
            while sum(not text.startswith("changed") for text in frames) < number:
                name, data = await reading.next("message", "changed")
                frames.append(f"{name} {data}")
            return frames

    with serving(port):
        return asyncio.run(scene())


@pytest.mark.parametrize("policy", ["of the workspace", "of the e-mail alone"])
@pytest.mark.parametrize("who", OTHERS.values(), ids=OTHERS)
def test_no_door_tells_others_what_an_email_says(
    who: tuple[str, Sequence[str]], policy: str, tenant: int, free_port: int
) -> None:
    events = conversation(tenant, **({} if policy == "of the workspace" else {"contents": "participants"}))
    record(*events)
    if policy == "of the workspace":
        decided(tenant, Audience.PARTICIPANTS)
    key = key_of(tenant, who)
    answers = read(key, doors(events))
    assert len(answers) > 100
    leaks = {path: answer.text for path, answer in answers.items() if SECRET in answer.text}
    assert answers[f"/v1/search?q={SECRET}"].json()["data"] == [], "what it says is not even found"
    assert leaks == {}
    assert [path for path, answer in answers.items() if answer.status_code >= 500] == []
    listed = {one["event_id"]: one for one in answers["/v1/events"].json()["data"]}
    for event in events:
        assert listed[str(event.event_id)]["held_back"], event.type
    assert listed[str(events[0].event_id)]["summary"] == "sent an email to jo@acme.example"
    assert [frame for frame in streamed(key, free_port, len(events)) if SECRET in frame] == []


@pytest.mark.parametrize("who", READERS.values(), ids=READERS)
def test_its_participants_and_their_managers_read_all_of_it(
    who: tuple[str, Sequence[str]], tenant: int, free_port: int
) -> None:
    events = conversation(tenant)
    record(*events)
    decided(tenant, Audience.PARTICIPANTS)
    key = key_of(tenant, who)
    page = read(key, iter(["/v1/events"]))["/v1/events"].json()["data"]
    assert [one["type"] for one in page if one["held_back"]] == []
    assert sum(SECRET in str(one) for one in page) == len(events)
    found = read(key, iter([f"/v1/search?q={SECRET}"]))[f"/v1/search?q={SECRET}"].json()["data"]
    assert len(found) > len(events) / 2
    assert sum(SECRET in frame for frame in streamed(key, free_port, len(events))) >= len(events)


def test_an_email_that_says_it_is_for_everyone_is_so_whatever_the_workspace_decides(tenant: int) -> None:
    events = conversation(tenant, contents="everyone")
    record(*events)
    decided(tenant, Audience.PARTICIPANTS)
    page = read(key_of(tenant, OTHERS["colleague"]), iter(["/v1/events"]))["/v1/events"].json()["data"]
    assert [one["type"] for one in page if one["held_back"]] == []


def test_who_writes_about_an_email_reads_what_they_wrote_and_no_more(tenant: int) -> None:
    mail = conversation(tenant)[0]
    about: dict[str, Any] = {"tenant_id": tenant, "source": "crm", "account_id": "acme"}
    payload = {"text": "mine", "event_id": str(mail.event_id)}
    comment = Event(type="comment.added", payload=payload, actor="ben@v.example", **about)
    record(mail, comment)
    decided(tenant, Audience.PARTICIPANTS)
    page = read(key_of(tenant, OTHERS["colleague"]), iter(["/v1/events"]))["/v1/events"].json()["data"]
    assert {one["type"]: one["held_back"] for one in page if "contents" not in one["type"]} == {
        "email.sent": True,
        "comment.added": False,
    }


def test_nobody_becomes_a_participant_by_an_event_that_comes_later(tenant: int) -> None:
    mail = conversation(tenant)[0]
    about: dict[str, Any] = {"tenant_id": tenant, "source": "crm", "account_id": "acme"}
    bait = Event(type="email.sent", payload={"from_address": "ben@v.example"}, **about)
    reply = Event(type="email.replied", payload={"excerpt": SECRET}, cause_id=bait.event_id, **about)
    own = Event(type="email.opened", payload={"recipient": "ben@v.example"}, cause_id=mail.event_id, **about)
    record(mail, reply)
    record(bait, own)
    decided(tenant, Audience.PARTICIPANTS)
    page = read(key_of(tenant, OTHERS["colleague"]), iter(["/v1/events"]))["/v1/events"].text
    assert SECRET not in page


def test_a_policy_holds_at_once_for_whoever_has_the_page_already(tenant: int) -> None:
    mail = conversation(tenant)[0]
    record(mail)
    key, path = key_of(tenant, OTHERS["colleague"]), "/v1/events"
    assert SECRET in read(key, iter([path]))[path].text
    decided(tenant, Audience.PARTICIPANTS)
    assert SECRET not in read(key, iter([path]))[path].text
    decided(tenant, Audience.EVERYONE)
    assert SECRET in read(key, iter([path]))[path].text


def test_open_streams_are_told_to_read_anew_when_others_may_read(tenant: int, free_port: int) -> None:
    async def scene() -> list[str]:
        async with stream(free_port, key) as reading:
            await reading.next("hello")
            await asyncio.to_thread(record, conversation(tenant)[0])
            _, before = await reading.next("message")
            await asyncio.to_thread(decided, tenant, Audience.PARTICIPANTS)
            _, reset = await reading.next("reset")
            await asyncio.to_thread(record, conversation(tenant)[0])
            _, after = await reading.next("message")
            return [str(before), reset["reason"], str(after)]

    key = key_of(tenant, OTHERS["colleague"])
    with serving(free_port):
        before, reason, after = asyncio.run(scene())
    assert (SECRET in before, reason, SECRET in after) == (True, "readers_changed", False)


def test_who_may_not_read_an_email_may_not_correct_it_either(tenant: int) -> None:
    async def scene(key: str) -> int:
        transport, named = httpx.ASGITransport(create_app()), {"Authorization": f"Bearer {key}"}
        async with httpx.AsyncClient(transport=transport, base_url="http://api", headers=named) as client:
            path, change = f"/v1/events/{mail.event_id}/corrections", {"correct": {"contents": "everyone"}}
            return (await client.post(path, json=change)).status_code

    mail = conversation(tenant, contents="participants")[0]
    record(mail)
    assert asyncio.run(scene(key_of(tenant, OTHERS["colleague"]))) == 403
    assert asyncio.run(scene(key_of(tenant, READERS["sender"]))) == 201


def test_a_task_a_notice_and_a_run_that_came_of_an_email_are_for_its_readers_and_whom_they_name(
    admin: psycopg.Connection[Any], tenant: int
) -> None:
    world = World(admin, tenant)
    quoting = "'{{ event.payload.excerpt }}'"
    steps = (
        f"  - {{do: create_task, title: {quoting}, due_in: 1h, assign_to: ben@v.example}}\n"
        f"  - {{do: notify, to: ben@v.example, message: {quoting}}}\n"
    )
    world.play(playbook(steps, trigger="event: email.replied"))
    between = {"recipient": "ana@v.example", "from_address": "jo@acme.example"}
    world.say("email.replied", {"excerpt": SECRET, **between}, contact_id="jo")
    world.settle()
    decided(tenant, Audience.PARTICIPANTS)
    named, stranger = key_of(tenant, OTHERS["colleague"]), key_of(tenant, OTHERS["program without an actor"])
    for path in ("/v1/tasks", "/v1/notices"):
        for key in (named, key_of(tenant, READERS["sender"])):
            assert SECRET in read(key, iter([path]))[path].text, path
        answer = read(stranger, iter([path]))[path]
        assert SECRET not in answer.text, path
        assert '"held_back":true' in answer.text, path
