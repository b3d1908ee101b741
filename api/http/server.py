"""The server process: uvicorn, which tells the open streams to end before it waits for them."""

import socket

import uvicorn
from fastapi import FastAPI

from api.http.app import create_app
from worker.process.logs import configure_logging

GRACE_S = 3  # what is not done by then is cut off


class Server(uvicorn.Server):
    """uvicorn, with streams that say goodbye."""

    def __init__(self, app: FastAPI, host: str, port: int, backlog: int = 4096) -> None:
        self._app = app
        super().__init__(
            uvicorn.Config(
                app,
                host=host,
                port=port,
                backlog=backlog,
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=GRACE_S,
                # Longer than a proxy keeps its own side open, so that it never sends into a closed connection
                timeout_keep_alive=75,
            )
        )

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the streams, then all the rest."""
        self._app.state.hub.close()
        await super().shutdown(sockets)


def run(host: str, port: int, backlog: int = 4096) -> None:
    """Serve until SIGTERM or SIGINT."""
    configure_logging()
    Server(create_app(), host, port, backlog).run()
