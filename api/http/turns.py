"""Work that takes the processor for long: beside the event loop, and of each workspace one at a time.

So whoever sends a lot waits for themselves, and the requests of others are answered meanwhile.
"""

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar
from weakref import WeakValueDictionary

from starlette.concurrency import run_in_threadpool

P = ParamSpec("P")
T = TypeVar("T")

_turns: WeakValueDictionary[int, asyncio.Lock] = WeakValueDictionary()


async def in_turn(tenant: int, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return what the work returns, once it is this workspace's turn."""
    turn = _turns.setdefault(tenant, asyncio.Lock())
    async with turn:
        return await run_in_threadpool(work, *args, **kwargs)
