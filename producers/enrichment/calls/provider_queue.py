"""The queue of one provider: the urgent first, no more at once and no faster than it allows."""

import asyncio
import heapq
from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import count
from typing import NamedTuple

import structlog
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    stop_after_attempt,
    wait_random_exponential,
)

from activity.errors import ActivityError
from producers.enrichment.calls.results import CallResult, result_of
from producers.enrichment.configuration import FieldConfig, ProviderConfig
from producers.enrichment.provider import EnrichmentProvider, ProviderAnswer, ProviderFailed, Question

log = structlog.get_logger()

TakeSlots = Callable[[str, float], Awaitable[float]]
"""Reserve so many seconds of a provider's rate; the answer is in how many seconds they begin."""

_LONGEST_PAUSE_S = 2.0  # before a request is repeated; a provider that asks for more is passed over
_GATHER_S = 0.005  # how long a bulk call waits for company
_PATIENCE_S = 20.0  # how long a question waits for its turn: far less than the lease of its pass
_pause = wait_random_exponential(multiplier=0.1, max=_LONGEST_PAUSE_S)


class QueueTimeout(ActivityError):
    """The provider is so busy, or its rate limit so low, that the question was not put: try again later."""


class _Reply(NamedTuple):
    answer: ProviderAnswer | ProviderFailed
    tries: int


class _Waiting(NamedTuple):
    priority: int
    n: int
    question: Question
    reply: "asyncio.Future[_Reply]"


class ProviderQueue:
    """Puts questions to one provider, in one worker process."""

    def __init__(
        self, name: str, config: ProviderConfig, provider: EnrichmentProvider, take_slots: TakeSlots
    ) -> None:
        self.provider = provider
        self._name, self._config, self._take_slots = name, config, take_slots
        self._waiting: list[_Waiting] = []
        self._numbers = count()
        self._serving: set[asyncio.Task[None]] = set()
        self._turnstile = asyncio.Lock()
        self._slots = 0  # of the rate limit, reserved and not yet used

    async def ask(self, question: Question, wanted: Mapping[str, FieldConfig], priority: int) -> CallResult:
        """Ask the provider when it is this question's turn; `wanted` are the question's fields.

        Raises QueueTimeout where its turn does not come.
        """
        reply: asyncio.Future[_Reply] = asyncio.get_running_loop().create_future()
        waiting = _Waiting(priority, next(self._numbers), question, reply)
        heapq.heappush(self._waiting, waiting)
        if not self._serve_one_more() or self._config.rate_per_s:
            await asyncio.wait([reply], timeout=_PATIENCE_S)
            if waiting in self._waiting:
                self._waiting.remove(waiting)
                heapq.heapify(self._waiting)
                raise QueueTimeout(f"{self._name} had no turn within {_PATIENCE_S:g} s")
        answer, tries = await reply
        return result_of(self._name, self._config, wanted, answer, tries)

    def _serve_one_more(self) -> bool:
        """Serve the queue once more at the same time, if the provider allows it; return whether it does."""
        if len(self._serving) >= self._config.concurrency:
            return False
        task = asyncio.create_task(self._serve())
        self._serving.add(task)
        task.add_done_callback(self._end_serving)
        return True

    def _end_serving(self, task: asyncio.Task[None]) -> None:
        """Log why a task stopped serving; whoever waits for it is put off when its patience ends."""
        self._serving.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.warning("provider_queue_stopped", provider=self._name, error=type(error).__name__)

    async def _serve(self) -> None:
        while self._waiting:
            if self.provider.batch_size > 1:
                await asyncio.sleep(_GATHER_S)
            await self._slot()
            size = min(self.provider.batch_size, len(self._waiting))
            turn = [heapq.heappop(self._waiting) for _ in range(size)]
            if not turn:
                return
            for waiting, reply in zip(turn, await self._replies(turn), strict=True):
                if not waiting.reply.done():
                    waiting.reply.set_result(reply)

    async def _replies(self, turn: Sequence[_Waiting]) -> list[_Reply]:
        try:
            return await self._ask([waiting.question for waiting in turn])
        except Exception as error:  # noqa: BLE001  # whoever waits must learn of an error, or waits forever
            log.warning("provider_raised", provider=self._name, error=type(error).__name__)
            return [_Reply(ProviderFailed(f"its class raised {type(error).__name__}"), 1)] * len(turn)

    async def _slot(self) -> None:
        """Wait for the next request that the rate limit allows."""
        rate = self._config.rate_per_s
        if rate is None:
            return
        async with self._turnstile:
            if self._slots == 0:
                slots = max(1, int(min(rate / 4, len(self._waiting))))
                await asyncio.sleep(await self._take_slots(self._name, slots / rate))
                self._slots = slots
            self._slots -= 1

    async def _ask(self, questions: Sequence[Question]) -> list[_Reply]:
        tries = 0
        retrying = AsyncRetrying(
            stop=stop_after_attempt(self._config.tries),
            wait=_wait,
            retry=retry_if_exception(_is_worth_repeating),
            reraise=True,
        )
        try:
            async for attempt in retrying:
                with attempt:
                    tries += 1
                    if tries > 1:
                        await self._slot()
                    answers = await self._once(questions)
            return [_Reply(answer, tries) for answer in answers]
        except ProviderFailed as failed:
            return [_Reply(failed, tries)] * len(questions)

    async def _once(self, questions: Sequence[Question]) -> Sequence[ProviderAnswer]:
        try:
            async with asyncio.timeout(self._config.timeout_s):
                answers = await self.provider.ask(questions)
        except TimeoutError:
            raise ProviderFailed(f"no answer within {self._config.timeout_s:g} s", transient=True) from None
        if len(answers) != len(questions):
            raise ProviderFailed(f"{len(answers)} answers to {len(questions)} questions")
        return answers


def _is_worth_repeating(error: BaseException) -> bool:
    return isinstance(error, ProviderFailed) and error.transient and (error.after_s or 0) <= _LONGEST_PAUSE_S


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    return max(_pause(state), error.after_s or 0) if isinstance(error, ProviderFailed) else _pause(state)
