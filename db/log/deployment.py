"""Which deployment this is: its name on a shared Redis, and the keys of its messages."""

import time
from functools import cache
from typing import Literal

from sqlalchemy import text

from activity.settings import settings
from db.engine import begin

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


def forget() -> None:
    """Drop what is remembered: for tests, whose databases change."""
    name.cache_clear()
    message_keys.cache_clear()
