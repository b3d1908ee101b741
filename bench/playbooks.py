"""Playbooks: how many events a second one process examines, and what waiting runs cost.

events_per_s        with 50 playbooks enabled: read, tried, started where they match (one in a hundred)
bare_follow_per_s   the same log read by a follower that does nothing with it: the baseline of ratio
events_per_s_N      with N playbooks enabled; one in eight has the type of an event
tick_ms_100, _100k  one tick of the engine that finds nothing due, with so many runs waiting
wake_ms_1, _1k      one event that so many of 100,000 waiting runs wait for: found, judged, woken, said
"""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from statistics import median
from typing import Any

import psycopg

from activity.event import Event
from bench.servers import servers
from db.engine import begin
from worker.emit import emit

_TYPES = (
    "signal.detected",
    "email.opened",
    "email.clicked",
    "email.sent",
    "deal.stage_changed",
    "call.completed",
    "note.added",
    "acme.form_filled",
)
_PAYLOADS: dict[str, dict[str, object]] = {
    "email.clicked": {"url": "https://vendor.example/pricing"},
    "signal.detected": {"signal": "pricing_page_visited", "score": 4},
    "deal.stage_changed": {"from_stage": "Proposal", "to_stage": "Negotiation", "amount": "12000"},
    "call.completed": {"duration_s": 300, "outcome": "interested"},
    "note.added": {"text": "They want a proposal."},
    "acme.form_filled": {"form": "contact", "rank": 7},
}
_CONDITIONS = {
    "signal.detected": 'event.payload.signal == "pricing_page_visited" && event.payload.score > 90',
    "deal.stage_changed": 'event.payload.to_stage == "Won" && account.fields.tier == "gold"',
    "call.completed": "event.payload.duration_s > 3600",
    "note.added": 'event.payload.text.contains("urgent")',
    "acme.form_filled": 'event.payload.form == "demo"',
}


def run(events: int = 40_000, only: str | None = None) -> dict[str, object]:
    """Run the benchmark, or only its part follow or wait; return the figures by name."""
    figures: dict[str, object] = {"events": events}
    # Each part in a process and on servers of its own: what a process has connected to, Celery keeps.
    with ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1) as processes:
        for part in (follow, wait):
            if only in (None, part.__name__):
                figures |= processes.submit(_measured, part, events).result()
    return {name: round(value, 3) if isinstance(value, float) else value for name, value in figures.items()}


def _measured(part: Callable[[psycopg.Connection, int], dict[str, float]], events: int) -> dict[str, float]:
    with servers(1) as admin:
        return part(admin, events)


def _definition(number: int) -> str:
    """Return one of many playbooks: by type, by pattern, with conditions on event and record."""
    type = _TYPES[number % len(_TYPES)]
    trigger = f"{type.split('.')[0]}.*" if number % 10 == 9 else type
    condition = _CONDITIONS.get(
        type, 'event.actor == "ana@vendor.example" && event.payload.message_id == "none"'
    )
    if number == 0:  # the one that starts: for one event in a hundred
        trigger, condition = "signal.detected", 'event.contact_id.endsWith("00")'
    once = "once_per: account\n" if number % 2 else ""
    head = f"name: P{number}\ntrigger:\n  event: {trigger}\n{once}conditions:\n  - {condition}"
    return f"{head}\nsteps:\n  - do: add_note\n    text: hello\n"


def _events(count: int) -> Iterator[Event]:
    for n in range(count):
        type = _TYPES[n // 13 % len(_TYPES)]
        yield Event(
            tenant_id=1,
            type=type,
            source="bench",
            actor="ana@vendor.example",
            account_id=f"a{n % 997}",
            contact_id=f"c{n}",
            payload=_PAYLOADS.get(type, {}),
        )


def _append(count: int) -> None:
    from worker.append import append_batch

    every = list(_events(count))
    for start in range(0, count, 5_000):
        with begin("producer") as session:
            emit(session, every[start : start + 5_000])
        while append_batch(1_000):
            pass


def follow(admin: psycopg.Connection, events: int) -> dict[str, float]:
    """Measure the follower with no, 1, 10, 50, 200 and 500 playbooks over the same log."""
    from producers.playbooks.start import handle

    _append(events)
    figures: dict[str, float] = {
        "bare_follow_per_s": _rate("bare", events, lambda session, tenant, page: None)
    }
    enabled = 0
    for wanted in (1, 10, 50, 200, 500):
        _enable(range(enabled, wanted))
        enabled = wanted
        admin.execute("update playbook.playbook set after_seq = 0")
        admin.execute(
            "truncate playbook.run, playbook.once, playbook.wait, playbook.act; delete from activity.outbox"
        )
        figures["events_per_s" if wanted == 50 else f"events_per_s_{wanted}"] = _rate(
            f"with{wanted}", events, handle
        )
        figures[f"started_{wanted}"] = float(admin.execute("select count(*) from playbook.run").fetchone()[0])  # type: ignore[index]  # a count has a row
    figures["ratio"] = figures["events_per_s"] / figures["bare_follow_per_s"]
    return figures


def _enable(numbers: range) -> None:
    from producers.playbooks import operate

    with begin("producer", 1) as session:
        for number in numbers:
            operate.save(session, 1, _definition(number), "bench")
            operate.enable(session, 1, f"P{number}", "bench")


def _rate(name: str, events: int, handle: Any) -> float:
    from worker.follow import follow_once

    handled, started = 0, time.perf_counter()
    while handled < events:
        handled += sum(follow_once(name, handle).values())
    return events / (time.perf_counter() - started)


_PLAY = """
name: Waits
trigger: {event: signal.detected}
steps:
  - {do: wait_for_event, event: call.completed, within: 30d, where: ['event.payload.duration_s > 60']}
  - {do: wait, for: 30d}
"""
_WAITING = """
with made as (
  insert into playbook.run (tenant_id, playbook_id, version, state, due_at, trigger_id, started_id,
         account_id)
  select 1, %(playbook)s, 1, 'waiting', now() + interval '1 day' * (1 + 29 * random()),
         gen_random_uuid(), gen_random_uuid(),
         %(account)s || (n %% %(spread)s)
    from generate_series(1, %(runs)s) n returning id, account_id)
insert into playbook.wait (tenant_id, type, subject, run_id)
select 1, 'call.completed', 'account:' || account_id, id from made"""


def wait(admin: psycopg.Connection, _events: int) -> dict[str, float]:
    """Measure a tick and a wake-up with few and many waiting runs."""
    from producers.playbooks import operate
    from producers.playbooks.advance import advance_batch

    with begin("producer", 1) as session:
        saved, _ = operate.save(session, 1, _PLAY, "bench")
        operate.enable(session, 1, "Waits", "bench")
    _wait(admin, saved.id, 100, "few", 100)
    figures = {"tick_ms_100": _tick(advance_batch)}
    _wait(admin, saved.id, 98_900, "many", 98_900)
    _wait(admin, saved.id, 1_000, "one", 1)
    figures["tick_ms_100k"] = _tick(advance_batch)
    _wake("few1"), _wake("few2")  # the first ones warm what is compiled once
    figures["wake_ms_1"] = median(_wake(f"many{n}") for n in range(1, 10))
    figures["wake_ms_1k"] = _wake("one0")
    woken = admin.execute(
        "select count(*) from playbook.run where state = 'running' and account_id = 'one0'"
    ).fetchone()
    assert woken == (1_000,), woken
    return figures


def _wait(admin: psycopg.Connection, playbook: int, runs: int, account: str, spread: int) -> None:
    admin.execute(_WAITING, {"playbook": playbook, "runs": runs, "account": account, "spread": spread})


def _tick(advance_batch: Callable[[], object]) -> float:
    times = []
    for _ in range(101):
        started = time.perf_counter()
        assert not advance_batch()
        times.append((time.perf_counter() - started) * 1000)
    return median(times)


def _wake(account: str) -> float:
    """Append one event about an account and return how many milliseconds the follower takes with it."""
    from producers.playbooks.start import handle
    from worker.append import append_batch
    from worker.follow import follow_once

    while append_batch(1_000) or follow_once("wake", handle):
        pass
    with begin("producer") as session:
        emit(
            session,
            Event(
                tenant_id=1,
                type="call.completed",
                source="bench",
                account_id=account,
                payload={"duration_s": 300},
            ),
        )
    append_batch(10)
    started = time.perf_counter()
    assert follow_once("wake", handle)
    return (time.perf_counter() - started) * 1000


if __name__ == "__main__":
    import json

    print(json.dumps(run()))
