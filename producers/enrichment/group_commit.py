"""Group commit: what many coroutines have to book at one moment is committed in one transaction, beside the event loop."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

Entry = TypeVar("Entry")
Answer = TypeVar("Answer")


class GroupCommit(Generic[Entry, Answer]):
    """Hands entries to `commit`, in a thread, all that wait at once and one group after the other."""

    def __init__(self, commit: Callable[[Sequence[Entry]], Sequence[Answer | Exception]], at_most: int = 200) -> None:
        self._commit, self._at_most = commit, at_most
        self._waiting: list[tuple[Entry, asyncio.Future[Answer]]] = []
        self._committing: asyncio.Task[None] | None = None

    async def book(self, entry: Entry) -> Answer:
        """Return what `commit` answered for the entry, once it is committed; raise what it raised."""
        answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((entry, answered))
        if self._committing is None:
            self._committing = asyncio.create_task(self._run())
        return await answered

    async def _run(self) -> None:
        try:
            while self._waiting:
                group, self._waiting = self._waiting[: self._at_most], self._waiting[self._at_most :]
                try:
                    answers = await asyncio.to_thread(self._commit, [entry for entry, _ in group])
                except Exception as error:  # noqa: BLE001  # it is the answer to all of them
                    answers = [error] * len(group)
                for (_, answered), answer in zip(group, answers, strict=True):
                    if answered.done():
                        continue
                    if isinstance(answer, Exception):
                        answered.set_exception(answer)
                    else:
                        answered.set_result(answer)
        finally:
            self._committing = None
