"""Work that takes the processor for long, one at a time of each workspace."""

import asyncio
import threading

from api.http.turns import in_turn


def test_a_workspace_waits_for_itself_and_no_other_waits_for_it() -> None:
    held = threading.Event()
    order: list[str] = []

    def hold() -> None:
        assert held.wait(10)
        order.append("held")

    async def scene() -> None:
        first = asyncio.create_task(in_turn(1, hold))
        second = asyncio.create_task(in_turn(1, order.append, "after it"))
        await in_turn(2, order.append, "another workspace")
        held.set()
        await asyncio.gather(first, second)

    asyncio.run(scene())
    assert order == ["another workspace", "held", "after it"]
