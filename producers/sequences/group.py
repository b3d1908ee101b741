"""Group commit: what several threads have to commit at one moment is committed in one transaction, and none returns before it is."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from threading import Lock
from typing import Generic, TypeVar

Entry = TypeVar("Entry")
Answer = TypeVar("Answer")


class GroupCommit(Generic[Entry, Answer]):
    """Hands entries to `commit`: the first that comes commits, and those that come meanwhile are the next group."""

    def __init__(self, commit: Callable[[Sequence[Entry]], Sequence[Answer]]) -> None:
        self._commit = commit
        self._waiting: list[tuple[Entry, Future[Answer]]] = []
        self._lock, self._committing = Lock(), Lock()

    def book(self, entry: Entry) -> Answer:
        """Return what `commit` answered for the entry, once it is committed; raise what it raised."""
        mine: Future[Answer] = Future()
        with self._lock:
            self._waiting.append((entry, mine))
        with self._committing:
            if not mine.done():
                self._run()
        return mine.result()

    def _run(self) -> None:
        with self._lock:
            group, self._waiting = self._waiting, []
        try:
            answers = self._commit([entry for entry, _ in group])
        except BaseException as error:
            for _, waits in group:
                waits.set_exception(error)
            raise
        for (_, waits), answer in zip(group, answers, strict=True):
            waits.set_result(answer)
