"""`activity serve`: the HTTP API, the live stream and the web page."""

from typing import Annotated

import typer


def serve(
    host: Annotated[
        str,
        typer.Option(
            help="The address to listen on; put a TLS proxy in front of any other than this machine's."
        ),
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, envvar="ACTIVITY_PORT", help="The port.")] = 8000,
    backlog: Annotated[int, typer.Option(min=16, help="Connections that may wait to be accepted.")] = 4096,
) -> None:
    """Serve the API, the stream and the page until Ctrl-C; open streams are told, and end within seconds."""
    from activity.processes import check
    from api.http.server import run

    check("api")
    run(host, port, backlog)


if __name__ == "__main__":
    typer.run(serve)
