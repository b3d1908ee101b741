"""What Flower remembers: the failures of a day beyond the tasks that went well after them."""

import time
from collections import OrderedDict

from kombu.utils.functional import LRUCache

DAY_S = 24 * 3600  # how long a failure is remembered
_MOST_PASSED_OVER = 1_000  # looked at to make room for one task, so that a flood of failures costs no more


class KeepsFailures(LRUCache):
    """Makes room by forgetting the oldest task that did not fail within a day.

    A failure of the night is to be read in the morning, however many tasks went well since.
    """

    data: "OrderedDict[str, object]"

    def __init__(self, limit: int) -> None:
        super().__init__(limit)  # type: ignore[no-untyped-call]  # kombu has no types

    def __setitem__(self, key: str, value: object) -> None:
        with self.mutex:
            if key not in self.data and self.limit and len(self.data) >= self.limit:
                self._forget_one()
            self.data[key] = value

    def _forget_one(self) -> None:
        for _ in range(_MOST_PASSED_OVER):
            if not _failed_lately(next(iter(self.data.values()))):
                break
            self.data.move_to_end(next(iter(self.data)))
        self.data.popitem(last=False)


def _failed_lately(task: object) -> bool:
    failed: float | None = getattr(task, "failed", None)
    return failed is not None and time.time() - failed < DAY_S
