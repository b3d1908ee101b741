"""What many coroutines want of the database at one moment is done at once, beside the event loop.

A group commit, or a read they share.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

Entry = TypeVar("Entry")
Answer = TypeVar("Answer")


class Batched(Generic[Entry, Answer]):
    """Hands entries to `work`, in a thread: all that wait at once, one batch after the other.

    No answer is older than its question.
    """

    def __init__(
        self, work: Callable[[Sequence[Entry]], Sequence[Answer | Exception]], at_most: int = 200
    ) -> None:
        self._work, self._at_most = work, at_most
        self._waiting: list[tuple[Entry, asyncio.Future[Answer]]] = []
        self._working: asyncio.Task[None] | None = None

    def put(self, entry: Entry) -> asyncio.Future[Answer]:
        """Return what will hold the answer of `work` for the entry once it is done, or what it raised."""
        answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((entry, answered))
        if self._working is None:
            self._working = asyncio.create_task(self._run())
        return answered

    async def _run(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[: self._at_most], self._waiting[self._at_most :]
                try:
                    answers = await asyncio.to_thread(self._work, [entry for entry, _ in batch])
                except Exception as error:  # noqa: BLE001  # it is the answer to all of them
                    answers = [error] * len(batch)
                for (_, answered), answer in zip(batch, answers, strict=True):
                    if answered.done():
                        continue
                    if isinstance(answer, Exception):
                        answered.set_exception(answer)
                    else:
                        answered.set_result(answer)
        finally:
            self._working = None
