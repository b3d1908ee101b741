"""Real webhook requests of other projects against ours.

Each is sent twice to the real API over ASGI, with a source and a workspace of its own; what it made is read
from the outbox and the counts.
"""

import hashlib
import json
import re
import time
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import psycopg
from fastapi import FastAPI

from db.engine import begin
from db.mail import sources
from producers.mail.webhooks import receive

Sample = dict[str, Any]
# Two libraries read the same report differently; ours is one of the two.
SAME = (
    {"queued", "sent"},
    {"rejected", "failed", "bounced"},  # an address that is refused as invalid; a mail that failed for good
    {"bounced", "unsubscribed"},  # Postmark suppresses after a hard bounce
    {"rejected", "deferred"},  # Mailtrap suspends sending
)


def webhook_samples(data: Path) -> Iterator[tuple[str, Sample]]:
    """Yield each webhook sample with its name."""
    for file in sorted((data / "webhooks").glob("*/*.json")):
        yield f"{file.parent.name}/{file.stem}", json.loads(file.read_text("utf-8"))


def secret_of(sample: Sample) -> str | None:
    """Return the secret that a sample is proved by; None where it has no proof."""
    proof = sample["verification"] or {}
    if proof.get("scheme") == "http-basic":
        return f"basic:{proof['username']}:{proof['password']}"
    if proof.get("scheme") == "aws-sns":
        return "any-topic"
    return next(
        (
            str(proof[name])
            for name in ("secret", "signing_key", "public_key", "key", "api_key")
            if name in proof
        ),
        None,
    )


def pin_certificates(data: Path, into: Path) -> None:
    """Put the certificates of the SNS samples where the setting sns_certificates finds them.

    They have expired, and nothing is fetched.
    """
    for _, sample in webhook_samples(data):
        proof = sample["verification"] or {}
        if "certificate_pem" in proof:
            (into / Path(proof["certificate_url"]).name).write_text(proof["certificate_pem"])


async def check_webhooks(app: FastAPI, data: Path, admin: psycopg.Connection) -> dict[str, Counter[str]]:
    """Send every sample twice; return by provider how many did what they should. Problems are printed."""
    table: dict[str, Counter[str]] = {}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://testserver") as client:
        for name, sample in webhook_samples(data):
            counts = table.setdefault(name.split("/")[0], Counter())
            problems = await _check_webhook(client, name, sample, _tenant(admin, name), admin)
            counts["samples"] += 1
            counts["rejected" if is_rejected(sample) else "accepted"] += 1
            counts["wrong"] += bool(problems)
            for problem in problems:
                print(f"WRONG {name}: {problem}")  # a report for people
    return table


def _tenant(admin: psycopg.Connection, name: str) -> int:
    """Make a workspace of a sample's own: several samples are about one and the same event."""
    slug = re.sub("[^a-z0-9-]", "-", name)[:60]
    row = admin.execute(
        "insert into crm.tenant (slug, name) values (%s, 'sample') returning id", (slug,)
    ).fetchone()
    assert row is not None
    return int(row[0])


def is_rejected(sample: Sample) -> bool:
    """Say whether a sample must be refused."""
    return isinstance(sample["expected"], dict) and bool(sample["expected"].get("rejected"))


async def _check_webhook(
    client: httpx.AsyncClient, name: str, sample: Sample, tenant: int, admin: psycopg.Connection
) -> list[str]:
    provider, source, proof = (
        name.split("/")[0],
        hashlib.sha256(name.encode()).hexdigest()[:32],
        sample["verification"] or {},
    )
    now = proof.get("now")
    with begin("producer", tenant) as session:
        sources.add(
            session,
            tenant,
            provider,
            source,
            secret=secret_of(sample),
            tolerance_s=300 if now else 0,
            url=proof.get("url"),
            name=name,
        )
    before = _state(admin)
    receive.clock = (
        (lambda: float(now)) if now else time.time
    )  # the sample names the clock that it is judged by
    try:
        answers = [await _send(client, provider, source, sample) for _ in range(2)]
    finally:
        receive.clock = time.time
    events, unknown = _made(admin, before)
    return list(_differences(sample, answers, events, unknown))


async def _send(client: httpx.AsyncClient, provider: str, source: str, sample: Sample) -> httpx.Response:
    return await client.post(
        f"/v1/webhooks/{provider}/{source}", content=sample["body"].encode(), headers=sample["headers"]
    )


def _state(admin: psycopg.Connection) -> tuple[int, int]:
    row = admin.execute(
        "select coalesce(max(n), 0), (select coalesce(sum(count), 0) from crm.mail_unknown) from "
        "activity.outbox"
    ).fetchone()
    assert row is not None
    return row[0], row[1]


def _made(admin: psycopg.Connection, before: tuple[int, int]) -> tuple[list[dict[str, object]], int]:
    rows = admin.execute(
        "select doc::text from activity.outbox where n > %s order by n", (before[0],)
    ).fetchall()
    return [json.loads(doc) for (doc,) in rows], _state(admin)[1] - before[1]


def _differences(
    sample: Sample, answers: list[httpx.Response], events: list[dict[str, object]], unknown: int
) -> Iterator[str]:
    statuses, expected = [answer.status_code for answer in answers], sample["expected"]
    if is_rejected(sample):
        if statuses != [401, 401] or events:
            yield f"should be refused: {statuses}, {len(events)} events"
        return
    if statuses != [200, 200]:
        yield f"answered {statuses}: {answers[0].text[:200]}"
        return
    if answers[1].json()["new"]:
        yield "the repeat added something"
    if not isinstance(expected, list):
        return  # the signature was the question
    wanted = expected
    known = [one for one in wanted if one.get("event_type") != "unknown"]
    if len(known) != len(events) or (len(known) < len(wanted) and not unknown):
        yield f"{len(events)} events and {unknown} unknown in place of {len(wanted)}"
        return
    for one, event in zip(known, events, strict=True):
        yield from _event_differences(one, event, sample["body"])


def _event_differences(one: dict[str, Any], event: dict[str, Any], body: str) -> Iterator[str]:
    payload = event["payload"]
    kind = one.get("event_type")
    if kind and kind != payload["kind"] and not any({kind, payload["kind"]} <= same for same in SAME):
        yield f"kind {payload['kind']} in place of {kind}"
    # SES says three times: of the mail, of what happened, of the notification. The samples' sources choose
    # differently; we take the second.
    said = one["timestamp"][:19] in body if one.get("timestamp") and "mail\\" in body else False
    if one.get("timestamp") and not said and not _same_moment(one["timestamp"], event["occurred_at"]):
        yield f"occurred at {event['occurred_at']}, not {one['timestamp']}"
    ids = {
        str(payload.get(name))
        for name in ("message_id", "provider_message_id", "provider_event_id", "provider_request_id")
    }
    for field, found in (
        ("recipient", {payload.get("recipient")}),
        ("message_id", ids),
        ("event_id", ids),
        ("click_url", {payload.get("url") or None}),
        ("user_agent", {payload.get("user_agent")}),
        ("status", {payload.get("status")}),
        ("machine", {payload.get("machine")}),
        ("mta_response", {plain(payload.get("reason"))}),
    ):
        if one.get(field) is not None and plain(one[field]) not in {plain(value) for value in found}:
            yield f"{field}: {found} in place of {one[field]!r}"


def plain(value: object) -> object:
    """Return a text with single spaces, so that folding makes no difference."""
    return (
        " ".join(str(value).split())
        if isinstance(value, (str, int)) and not isinstance(value, bool)
        else value
    )


def _same_moment(one: str, other: str) -> bool:
    first, second = (datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text)) for text in (one, other))
    return abs((first - second).total_seconds()) < 1
