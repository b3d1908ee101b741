"""Group commit: what several threads have to commit at one moment is committed in one transaction, by a thread of its own."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from threading import Thread
from types import TracebackType
from typing import Generic, Self, TypeVar

Entry = TypeVar("Entry")
Answer = TypeVar("Answer")


class GroupCommit(Generic[Entry, Answer]):
    """Hands entries to `commit`: all that wait at once, one group after the other. A context manager, whose end waits for all of them."""

    def __init__(self, commit: Callable[[Sequence[Entry]], Sequence[Answer]]) -> None:
        self._commit = commit
        self._waiting: SimpleQueue[tuple[Entry, Future[Answer]] | None] = SimpleQueue()
        self._thread = Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self._waiting.put(None)
        self._thread.join()

    def book(self, entry: Entry) -> Future[Answer]:
        """Return what will hold the answer of `commit` for the entry once it is committed, or what it raised."""
        answered: Future[Answer] = Future()
        self._waiting.put((entry, answered))
        return answered

    def _run(self) -> None:
        waiting = self._next()
        while waiting != [None]:
            self._commit_group([one for one in waiting if one is not None])
            waiting = [None] if waiting[-1] is None else self._next()

    def _next(self) -> list[tuple[Entry, Future[Answer]] | None]:
        """Return all that waits, one entry at least."""
        waiting = [self._waiting.get()]
        while True:
            try:
                waiting.append(self._waiting.get_nowait())
            except Empty:
                return waiting

    def _commit_group(self, group: Sequence[tuple[Entry, Future[Answer]]]) -> None:
        try:
            answers = self._commit([entry for entry, _ in group])
        except BaseException as error:  # noqa: BLE001  # it is the answer to all of them
            for _, answered in group:
                answered.set_exception(error)
        else:
            for (_, answered), answer in zip(group, answers, strict=True):
                answered.set_result(answer)
