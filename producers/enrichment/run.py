"""The task enrichment.run: claims passes, walks each down its waterfall, many at once, and books what becomes of them."""

import asyncio
import heapq
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from itertools import count

import structlog
from sqlalchemy.exc import OperationalError

from db.claim import is_due
from db.engine import EVERY_TENANT, begin
from db.enrichment import ledger, passes
from producers.enrichment.asking import TASK, Priority
from producers.enrichment.calls.breaker import Breakers
from producers.enrichment.calls.provider_queue import Desk, NoTurn
from producers.enrichment.commit import Booking, Books, Go, Lost, Reply, Skip
from producers.enrichment.configuration import Configuration, FieldConfig, Kind, configuration
from producers.enrichment.passes import Ended, Work, price, resume, usable
from producers.enrichment.provider import Provider, ProviderFailed, Question, make
from producers.enrichment.waterfall import Step
from producers.http import Outbound
from worker.celery import app
from worker.clock import Sweep, look_for
from worker.drain import drain
from worker.group_commit import Batched

log = structlog.get_logger()

CLAIM_S = (
    8.0  # a run claims for so long, then ends what it has: less than a lease and than the broker's patience
)
_LOOK_S = 0.2  # how often a run looks for more where it found none, and for urgent passes where it is full
_URGENT = 10  # passes that a user waits for and that a full run takes on top


@app.task(name=TASK)  # type: ignore[untyped-decorator]  # celery has no types
def run() -> str:
    """Work off the enrichment passes that are due."""
    return drain(TASK, work_off)


def _is_pass_due() -> bool:
    with begin("producer", EVERY_TENANT) as session:
        return is_due(session, passes.PASSES)


look_for(Sweep(TASK, run, _is_pass_due))


def work_off() -> Counter[str]:
    """Claim and end passes until none is due, or for some seconds; return how they ended, nothing where none was due."""
    config = configuration()
    run_ = Run(config)
    first = run_.claim(config.concurrency)
    return asyncio.run(run_.work_off(first)) if first else Counter()


class Run:
    """One run of the task."""

    def __init__(self, config: Configuration) -> None:
        self._config = config
        self._breakers = Breakers(config)
        self._tally: Counter[str] = Counter()
        self._ready: list[tuple[int, int, Work]] = []  # claimed, not begun: a heap by priority
        self._numbers = count()
        self._books = Batched[Booking, Reply](Books(config, self._breakers).commit)
        self._desks: dict[str, Desk] = {}
        self._outbound: Outbound | None = None

    @cached_property
    def _wanted(self) -> dict[tuple[str, tuple[str, ...]], Mapping[str, FieldConfig]]:
        return {}

    def claim(self, limit: int, urgent: bool = False) -> list[Work]:
        """Claim passes with their records, and with what earlier holders of them have learnt."""
        with begin("producer", EVERY_TENANT) as session:
            rows = passes.claim(session, limit, urgent=urgent)
            if not rows:
                return []
            ledger.register(session, list(self._config.providers))
            records = passes.records(session, rows)
            again = [row.id for row in rows if row.fence > 1]
            calls = ledger.take_over(session, again) if again else []
            self._breakers.read(session)
        claimed = []
        for row in rows:
            slug, values = records.get(row.id, ("", None))
            work = Work(row, slug, values, self._fields(row.kind, tuple(row.fields)))
            resume(work, [call for call in calls if call.pass_id == row.id])
            claimed.append(work)
        return claimed

    def _fields(self, kind: Kind, names: tuple[str, ...]) -> Mapping[str, FieldConfig]:
        """Return the wanted fields that are still configured."""
        if (kind, names) not in self._wanted:
            known = self._config.fields[kind]
            self._wanted[kind, names] = {name: known[name] for name in names if name in known}
        return self._wanted[kind, names]

    async def work_off(self, claimed: Sequence[Work]) -> Counter[str]:
        """Work off claimed passes and, for some seconds, those that are due meanwhile."""
        limit = self._config.concurrency
        until = time.monotonic() + CLAIM_S
        next_look = 0.0
        under_way: set[asyncio.Task[None]] = set()
        async with Outbound(connections=limit + _URGENT) as self._outbound:
            self._add(claimed)
            while True:
                while self._ready and (len(under_way) < limit or self._ready[0][0] == Priority.NOW):
                    under_way.add(asyncio.create_task(self._walk(heapq.heappop(self._ready)[2])))
                if not under_way:
                    return self._tally
                _, under_way = await asyncio.wait(
                    under_way, timeout=_LOOK_S, return_when=asyncio.FIRST_COMPLETED
                )
                now = time.monotonic()
                if now < until and now >= next_look:
                    full = len(self._ready) > limit // 2 or len(under_way) >= limit
                    found = await asyncio.to_thread(self.claim, _URGENT if full else limit, full)
                    self._add(found)
                    next_look = now + (0 if found and not full else _LOOK_S)

    def _add(self, claimed: Sequence[Work]) -> None:
        for work in claimed:
            heapq.heappush(self._ready, (work.row.priority, next(self._numbers), work))

    async def _walk(self, work: Work) -> None:
        try:
            await self._descend(work)
        except OperationalError as error:  # the server is away; the lease gives the pass back
            self._tally["left"] += 1
            log.warning("pass_left", pass_id=work.row.id, error=type(error).__name__)
        except Exception as error:  # one pass that cannot be worked must stop no other
            log.exception("pass_failed", pass_id=work.row.id)
            await self._give_up(work, error)

    async def _give_up(self, work: Work, error: Exception) -> None:
        """End a pass that met with a fault of ours: changed by it, nothing; said of it, the kind of fault."""
        work.offers.clear()
        try:
            await self._books.put(Booking(work, failure=f"it could not be worked: {type(error).__name__}"))
            self._tally["failed"] += 1
        except Exception:  # the lease gives the pass back
            log.exception("pass_left", pass_id=work.row.id)

    async def _descend(self, work: Work) -> None:
        """Take a pass down its waterfall, one call after the other, each written down before and booked with the next."""
        ended: Ended | None = None
        while True:
            step, question, key = self._next(work)
            reply = await self._books.put(Booking(work, ended, step, key))
            ended = None
            if isinstance(reply, Lost):
                self._tally["lost"] += 1
                return
            if step is None or question is None:
                self._tally["done"] += 1
                return
            if isinstance(reply, Go):
                try:
                    ended = await self._call(work, step, question, key, reply)
                except NoTurn:
                    await self._books.put(Booking(work, put_off=reply))
                    self._tally["put off"] += 1
                    return
                work.take(ended)
            elif isinstance(reply, Ended):
                work.take(reply, cached=True)
            elif isinstance(reply, Skip):
                work.tried[step.provider] = reply.reason

    def _next(self, work: Work) -> tuple[Step | None, Question | None, str]:
        """Return the next call that can be made: a provider whose question the record cannot put is passed over."""
        while (step := work.next_step()) is not None:
            question = work.question(step)
            key = self._desk(step.provider).provider.key(question)
            if key is not None:
                return step, question, key
            work.tried[step.provider] = f"the {work.row.kind} lacks what it is asked by"
        return None, None, ""

    async def _call(self, work: Work, step: Step, question: Question, key: str, go: Go) -> Ended:
        config = self._config.providers[step.provider]
        reply = await self._desk(step.provider).ask(question, work.row.priority)
        ended = Ended(
            step.provider, go.attempt, key, datetime.now(UTC), go.month, reply.tries, reserved=go.reserved
        )
        try:
            if isinstance(reply.answer, ProviderFailed):
                raise reply.answer
            ended.found = usable(work, step, reply.answer)
            ended.cost = price(config, ended.found)
        except ProviderFailed as failed:
            ended.reason = str(failed)[:500]
        return ended

    def _desk(self, name: str) -> Desk:
        if name not in self._desks:
            assert self._outbound is not None
            config = self._config.providers[name]
            provider: Provider = make(name, config, self._outbound)
            self._desks[name] = Desk(name, config, provider, _take_slots)
        return self._desks[name]


async def _take_slots(name: str, seconds: float) -> float:
    def take() -> float:
        with begin("producer") as session:
            return ledger.take_slots(session, name, seconds)

    return await asyncio.to_thread(take)
