"""One run of the task enrichment.run: it claims passes and walks each down its waterfall, many at once."""

import asyncio
import heapq
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import count

import structlog
from sqlalchemy.exc import OperationalError

from db.engine import EVERY_TENANT, begin
from db.enrichment import ledger, passes, providers
from db.enrichment.passes import ClaimedPass
from db.records import values
from db.records.values import RecordValues
from producers.enrichment.asking import Priority
from producers.enrichment.calls.breaker import Breakers
from producers.enrichment.calls.provider_queue import ProviderQueue, QueueTimeout
from producers.enrichment.calls.results import CallResult
from producers.enrichment.commit import PassWriter
from producers.enrichment.configuration import Configuration, configuration
from producers.enrichment.passes import Work, resume
from producers.enrichment.provider import make
from producers.enrichment.updates import (
    CallPermitted,
    CallSkipped,
    EndedCall,
    FailPass,
    FinishPass,
    LostClaim,
    PassUpdate,
    PostponePass,
    StartCall,
    UpdateReply,
)
from producers.enrichment.waterfall import next_call
from producers.http import Outbound
from worker.group_commit import Batched

log = structlog.get_logger()

# A run claims for so long, then ends what it has: less than a lease and than the broker waits for it.
CLAIM_S = 8.0
_LOOK_S = 0.2  # how often a run looks for more where it found none, and for urgent passes where it is full
_URGENT = 10  # passes that a user waits for and that a full run takes on top


def work_off() -> Counter[str]:
    """Claim and end passes until none is due, or for some seconds; return how many ended how."""
    config = configuration()
    run = EnrichmentRun(config)
    first = run.claim(config.concurrency)
    return asyncio.run(run.work_off(first)) if first else Counter()


class EnrichmentRun:
    """One run of the task."""

    def __init__(self, config: Configuration) -> None:
        self._config = config
        self._breakers = Breakers(config)
        self._tally: Counter[str] = Counter()
        self._ready: list[tuple[int, int, Work]] = []  # claimed and not started: a heap by priority
        self._numbers = count()
        self._writer = Batched[PassUpdate, UpdateReply](PassWriter(config, self._breakers).commit)
        self._queues: dict[str, ProviderQueue] = {}
        self._outbound: Outbound | None = None

    def claim(self, limit: int, urgent: bool = False) -> list[Work]:
        """Claim passes with their records, and with what earlier holders of them learnt."""
        with begin("producer", EVERY_TENANT) as session:
            rows = passes.claim(session, limit, urgent=urgent)
            if not rows:
                return []
            providers.register(session, list(self._config.providers))
            records = {
                kind: values.current(session, kind, _keys(rows, kind)) for kind in {row.kind for row in rows}
            }
            again = [row.id for row in rows if row.fence > 1]
            calls = ledger.take_over(session, again) if again else []
            self._breakers.read(session)
        claimed = [self._work(row, records[row.kind].get((row.tenant_id, row.record_id))) for row in rows]
        for work in claimed:
            resume(work, (call for call in calls if call.pass_id == work.row.id))
        return claimed

    def _work(self, row: ClaimedPass, record: RecordValues | None) -> Work:
        known = self._config.fields_of(row.kind)
        wanted = {name: known[name] for name in row.fields if name in known}
        return Work(row, record.slug if record else "", record and record.current, wanted)

    async def work_off(self, claimed: Sequence[Work]) -> Counter[str]:
        """Work off claimed passes and, for some seconds, those that are due meanwhile."""
        limit = self._config.concurrency
        until = time.monotonic() + CLAIM_S
        next_look = 0.0
        in_progress: set[asyncio.Task[None]] = set()
        async with Outbound(connections=limit + _URGENT) as self._outbound:
            self._add(claimed)
            while True:
                self._start(in_progress, limit)
                if not in_progress:
                    return self._tally
                _, in_progress = await asyncio.wait(
                    in_progress, timeout=_LOOK_S, return_when=asyncio.FIRST_COMPLETED
                )
                now = time.monotonic()
                if now < until and now >= next_look:
                    full = len(self._ready) > limit // 2 or len(in_progress) >= limit
                    found = await asyncio.to_thread(self.claim, _URGENT if full else limit, full)
                    self._add(found)
                    next_look = now + (0 if found and not full else _LOOK_S)

    def _start(self, in_progress: set[asyncio.Task[None]], limit: int) -> None:
        while self._ready and (len(in_progress) < limit or self._ready[0][0] == Priority.NOW):
            in_progress.add(asyncio.create_task(self._walk(heapq.heappop(self._ready)[2])))

    def _add(self, claimed: Iterable[Work]) -> None:
        for work in claimed:
            heapq.heappush(self._ready, (work.row.priority, next(self._numbers), work))

    async def _walk(self, work: Work) -> None:
        try:
            self._tally[await self._descend(work)] += 1
        except OperationalError as error:  # the server is away; the lease gives the pass back
            self._tally["left"] += 1
            log.warning("pass_left", pass_id=work.row.id, error=type(error).__name__)
        except Exception as error:  # one pass that cannot be worked must stop no other
            log.exception("pass_failed", pass_id=work.row.id)
            await self._give_up(work, error)

    async def _give_up(self, work: Work, error: Exception) -> None:
        """End a pass that met an internal error: it changes nothing; its event names the kind of error."""
        work.offers.clear()
        try:
            await self._writer.put(FailPass(work, f"it could not be worked: {type(error).__name__}"))
            self._tally["failed"] += 1
        except Exception:  # the lease gives the pass back
            log.exception("pass_left", pass_id=work.row.id)

    async def _descend(self, work: Work) -> str:
        """Take a pass down its waterfall and return how that ended.

        It makes one call after the other, each recorded before it is made and booked together with the next.
        """
        ended: EndedCall | None = None
        while isinstance(update := self._next(work, ended), StartCall):
            reply, ended = await self._writer.put(update), None
            if isinstance(reply, LostClaim):
                return "lost"
            if isinstance(reply, CallPermitted):
                try:
                    result = await self._ask(update)
                except QueueTimeout:
                    await self._writer.put(PostponePass(work, reply))
                    return "put off"
                work.add(result)
                ended = EndedCall(reply, update.key, result)
            elif isinstance(reply, CallResult):
                work.add(reply, cached=True)
            elif isinstance(reply, CallSkipped):
                work.tried[update.call.provider] = reply.reason
        reply = await self._writer.put(update)
        return "lost" if isinstance(reply, LostClaim) else "done"

    def _next(self, work: Work, ended: EndedCall | None) -> StartCall | FinishPass:
        """Return the next call that can be made, if any.

        A provider is passed over where the record lacks what it asks by.
        """
        while work.values is not None and (call := next_call(work.wanted, work.tried, work.offers)):
            question = work.question(call)
            key = self._queue(call.provider).provider.key(question)
            if key is not None:
                return StartCall(work, ended, call, question, key)
            work.tried[call.provider] = f"the {work.row.kind} lacks what it is asked by"
        return FinishPass(work, ended)

    async def _ask(self, start: StartCall) -> CallResult:
        wanted = {name: start.work.wanted[name] for name in start.call.fields}
        queue = self._queue(start.call.provider)
        return await queue.ask(start.question, wanted, start.work.row.priority)

    def _queue(self, name: str) -> ProviderQueue:
        if name not in self._queues:
            assert self._outbound is not None
            config = self._config.providers[name]
            provider = make(name, config, self._outbound)
            self._queues[name] = ProviderQueue(name, config, provider, _take_slots)
        return self._queues[name]


def _keys(rows: Iterable[ClaimedPass], kind: str) -> list[values.Key]:
    return [(row.tenant_id, row.record_id) for row in rows if row.kind == kind]


async def _take_slots(name: str, seconds: float) -> float:
    def take() -> float:
        with begin("producer") as session:
            return providers.take_slots(session, name, seconds)

    return await asyncio.to_thread(take)
