"""A desk is where one provider is asked: the urgent first, no more at once and no faster than it allows, each request tried a few times."""

import asyncio
import heapq
from collections.abc import Awaitable, Callable, Sequence
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
from producers.enrichment.configuration import ProviderConfig
from producers.enrichment.provider import Answer, Provider, ProviderFailed, Question

log = structlog.get_logger()

TakeSlots = Callable[[str, float], Awaitable[float]]
"""Reserve so many seconds of a provider's rate; the answer is in how many seconds they begin."""

_LONGEST_PAUSE_S = 2.0  # before a request is repeated; a provider that asks for more is passed over
_GATHER_S = 0.005  # how long a bulk call waits for company
_PATIENCE_S = 20.0  # how long a question waits for its turn: far less than the lease of its pass
_pause = wait_random_exponential(multiplier=0.1, max=_LONGEST_PAUSE_S)


class NoTurn(ActivityError):
    """The provider is so busy, or so slow by its rate limit, that the question was not put: try again in a while."""


class Reply(NamedTuple):
    """What a provider answered, and how many requests that took."""

    answer: Answer | ProviderFailed
    tries: int


class _Waiting(NamedTuple):
    priority: int
    n: int
    question: Question
    reply: "asyncio.Future[Reply]"


class Desk:
    """Where one provider is asked, in one worker process."""

    def __init__(self, name: str, config: ProviderConfig, provider: Provider, take_slots: TakeSlots) -> None:
        self.provider = provider
        self._name, self._config, self._take_slots = name, config, take_slots
        self._waiting: list[_Waiting] = []
        self._numbers = count()
        self._serving: set[asyncio.Task[None]] = set()
        self._turnstile = asyncio.Lock()
        self._slots = 0  # of the rate limit, reserved and not yet used

    async def ask(self, question: Question, priority: int) -> Reply:
        """Ask the provider when it is this question's turn. Raises NoTurn if that never comes."""
        waiting = _Waiting(
            priority, next(self._numbers), question, asyncio.get_running_loop().create_future()
        )
        heapq.heappush(self._waiting, waiting)
        at_once = len(self._serving) < self._config.concurrency
        if at_once:
            task = asyncio.create_task(self._serve())
            self._serving.add(task)
            task.add_done_callback(self._serving.discard)
        if not at_once or self._config.rate_per_s:
            await asyncio.wait([waiting.reply], timeout=_PATIENCE_S)
            if waiting in self._waiting:
                self._waiting.remove(waiting)
                heapq.heapify(self._waiting)
                raise NoTurn(f"{self._name} had no turn within {_PATIENCE_S:g} s")
        return await waiting.reply

    async def _serve(self) -> None:
        while self._waiting:
            if self.provider.batch_size > 1:
                await asyncio.sleep(_GATHER_S)
            await self._slot()
            turn = [
                heapq.heappop(self._waiting) for _ in range(min(self.provider.batch_size, len(self._waiting)))
            ]
            if not turn:
                return
            try:
                replies = await self._ask([waiting.question for waiting in turn])
            except Exception as error:  # noqa: BLE001  # whoever waits must hear of a fault, or waits for ever
                log.warning("provider_raised", provider=self._name, error=type(error).__name__)
                replies = [Reply(ProviderFailed(f"its class raised {type(error).__name__}"), 1)] * len(turn)
            for waiting, reply in zip(turn, replies, strict=True):
                if not waiting.reply.done():
                    waiting.reply.set_result(reply)

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

    async def _ask(self, questions: Sequence[Question]) -> list[Reply]:
        tries = 0
        try:
            async for attempt in AsyncRetrying(
                stop=stop_after_attempt(self._config.tries),
                wait=_wait,
                retry=retry_if_exception(_worth_repeating),
                reraise=True,
            ):
                with attempt:
                    tries += 1
                    if tries > 1:
                        await self._slot()
                    answers = await self._once(questions)
            return [Reply(answer, tries) for answer in answers]
        except ProviderFailed as failed:
            return [Reply(failed, tries)] * len(questions)

    async def _once(self, questions: Sequence[Question]) -> Sequence[Answer]:
        try:
            async with asyncio.timeout(self._config.timeout_s):
                answers = await self.provider.ask(questions)
        except TimeoutError:
            raise ProviderFailed(f"no answer within {self._config.timeout_s:g} s", again=True) from None
        if len(answers) != len(questions):
            raise ProviderFailed(f"{len(answers)} answers to {len(questions)} questions")
        return answers


def _worth_repeating(error: BaseException) -> bool:
    return isinstance(error, ProviderFailed) and error.again and (error.after_s or 0) <= _LONGEST_PAUSE_S


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    return max(_pause(state), error.after_s or 0) if isinstance(error, ProviderFailed) else _pause(state)
