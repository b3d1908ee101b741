"""A TCP proxy before a real server, which fails as networks do: connections cut, frozen or half-open."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Proxy:
    """Forwards 127.0.0.1:port to another port, in a thread of its own."""

    def __init__(self, to_port: int) -> None:
        self._to_port = to_port
        self._loop = asyncio.new_event_loop()
        self._writers: set[asyncio.StreamWriter] = set()
        self._dropped: set[asyncio.StreamWriter] = set()
        self._flows = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._refuses = False
        self.port = 0

    def half_open(self) -> None:
        """Let every open connection swallow what is sent, without a word; new ones work."""
        self._call(lambda: self._dropped.update(self._writers))

    def freeze(self) -> None:
        """Forward nothing, on old connections and new, until `thaw`."""
        self._call(self._flows.clear)

    def thaw(self) -> None:
        """Go on, with all that was sent in between."""
        self._call(self._flows.set)

    def cut(self) -> None:
        """Close every open connection at both ends."""
        self._call(self._abort)

    def refuse(self) -> None:
        """Close every open connection, and each new one as soon as it is made, until `accept`."""
        self._refuses = True
        self.cut()

    def accept(self) -> None:
        """Take connections again."""
        self._refuses = False

    def _call(self, act: Callable[[], object]) -> None:
        done = threading.Event()

        def run() -> None:
            act()
            done.set()

        self._loop.call_soon_threadsafe(run)
        assert done.wait(5)

    def _abort(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def _serve(self, started: threading.Event, stop: asyncio.Event) -> None:
        self._flows.set()
        server = await asyncio.start_server(self._forward, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._stop = stop
        started.set()
        await stop.wait()
        server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._abort()
        await asyncio.sleep(0)  # what was aborted ends in the loop's next turn

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._refuses:
            writer.transport.abort()
            return
        try:
            there, to = await asyncio.open_connection("127.0.0.1", self._to_port)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, to}
        for source, sink in ((reader, to), (there, writer)):
            task = asyncio.create_task(self._pump(source, sink, writer, to))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pump(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *both: asyncio.StreamWriter
    ) -> None:
        try:
            while data := await source.read(65536):
                await self._flows.wait()
                if sink not in self._dropped:
                    sink.write(data)
                    await sink.drain()
        except OSError:
            pass
        if not self._dropped.intersection(both):  # of a half-open connection not even the end is heard
            for writer in both:
                writer.transport.abort()
            self._writers.difference_update(both)

    @contextmanager
    def running(self) -> Iterator["Proxy"]:
        """Run the proxy until the end of the block."""
        started, stop = threading.Event(), asyncio.Event()
        thread = threading.Thread(target=lambda: self._loop.run_until_complete(self._serve(started, stop)))
        thread.start()
        assert started.wait(5)
        try:
            yield self
        finally:
            self._loop.call_soon_threadsafe(stop.set)
            thread.join(5)
            self._loop.close()
