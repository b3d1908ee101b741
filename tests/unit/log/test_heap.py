"""In a long-lived process garbage is looked for in what came since it began, not in all it has loaded."""

import asyncio
import gc
import subprocess
import sys

from api.http.app import create_app

_PROBE = """
import api.http.app, producers.playbooks.tasks, gc
from worker.process.heap import freeze
before = len(gc.get_objects())
freeze()
print(before, len(gc.get_objects()))
"""


def test_what_is_loaded_is_left_out_of_later_collections() -> None:
    done = subprocess.run([sys.executable, "-c", _PROBE], capture_output=True, text=True, check=True)
    before, after = map(int, done.stdout.split())
    assert after < before / 100, "what is looked at is a hundredth of what is there"


def test_the_api_begins_so() -> None:
    app = create_app()

    async def begin() -> int:
        async with app.router.lifespan_context(app):
            return gc.get_freeze_count()

    try:
        assert asyncio.run(begin()) > 10_000
    finally:
        gc.unfreeze()
