"""Which deployment this is: its name on a shared Redis, and the keys of its messages."""

import time
from functools import cache
from typing import Literal

from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from activity.settings import settings
from db.engine import begin, database_url

_READ_AGAIN_S = 5.0  # a message of an unknown key is a reason to read the keys, but not each of a flood


@cache
def name(role: Literal["producer", "writer", "reader"]) -> str:
    """Return the deployment's name, as a setting states it or the database draws it."""
    stated = settings().deployment
    if stated is not None:
        return stated
    with begin(role) as session:
        return str(session.execute(text("select activity.deployment_name()")).scalar_one())


class MessageKeys:
    """The keys of this deployment's messages, read by a role when they are needed and kept."""

    def __init__(self, role: Literal["writer", "reader"]) -> None:
        self._role: Literal["writer", "reader"] = role
        self._keys: list[bytes] = []
        self._read_at = 0.0

    def all(self) -> list[bytes]:
        """Return the keys, the newest first; the database is asked once."""
        if not self._keys:
            self._read()
        return self._keys

    def read_again(self) -> bool:
        """Ask the database anew, unless that was done just now; return whether it was asked."""
        if time.monotonic() - self._read_at <= _READ_AGAIN_S:
            return False
        self._read()
        return True

    def _read(self) -> None:
        self._read_at = time.monotonic()
        with begin(self._role) as session:
            found = session.execute(text("select activity.message_keys()")).scalar_one()
        self._keys = [bytes(key) for key in found]


@cache
def message_keys(role: Literal["writer", "reader"]) -> MessageKeys:
    """Return this process's keys for a role."""
    return MessageKeys(role)


def begin_anew() -> int:
    """Make a restored backup a deployment of its own; return how many logs it has.

    Each log gets a new epoch, so that followers begin anew instead of taking the numbers that are used again
    for those they know; and the deployment a new name and key, so that it never meets the one it is a copy
    of. As the login that migrates.
    """
    with create_engine(database_url(), poolclass=NullPool, hide_parameters=True).begin() as connection:
        connection.execute(text("set local role activity_owner"))
        logs = connection.execute(text("update activity.head set epoch = gen_random_uuid()")).rowcount
        connection.execute(
            text("""
                update activity.deployment set seed = gen_random_uuid(), old_key = null,
                       key = uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())
            """)
        )
    return logs


def forget() -> None:
    """Drop what is remembered: for tests, whose databases change."""
    name.cache_clear()
    message_keys.cache_clear()
