"""PostgreSQL and Valkey from the installed wheels, as child processes of this one, on 127.0.0.1 only."""

from cli.dev.embedded.postgres import EmbeddedPostgres
from cli.dev.embedded.server import ServerFailed, WheelMissing, write_private
from cli.dev.embedded.valkey import EmbeddedValkey

__all__ = ["EmbeddedPostgres", "EmbeddedValkey", "ServerFailed", "WheelMissing", "write_private"]
