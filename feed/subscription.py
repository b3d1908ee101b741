"""What comes by pub/sub, and what of it is believed.

Messages that this deployment signed, on their own channel.
"""

import structlog

from activity import message
from db.log import deployment
from worker.process.logs import Seldom

log = structlog.get_logger()


class Subscription:
    """Opens this deployment's messages. All others are ignored: they are counted and logged once a minute."""

    def __init__(self) -> None:
        self._name = deployment.name("reader")
        self._keys = deployment.message_keys("reader")
        self._keys.all()  # here, where waiting for the database holds nobody up
        self._ignored = 0
        self._seldom = Seldom()

    @property
    def pattern(self) -> str:
        """The channels of all workspaces."""
        return message.channel(self._name, "*")

    def channel(self, tenant_id: int) -> str:
        """Return the channel of a workspace."""
        return message.channel(self._name, tenant_id)

    def opened(self, channel: str, data: bytes) -> bytes | None:
        """Return an authentic message, or None where none of the known keys made its tag. It asks nobody."""
        return message.opened(self._keys.all(), channel, data)

    def opened_anew(self, channel: str, data: bytes) -> bytes | None:
        """Return a message that no known key opened, where the keys were changed; it may ask the database."""
        body = self.opened(channel, data) if self._keys.read_again() else None
        if body is None:
            self._ignored += 1
            if self._seldom.is_due("ignored"):
                log.warning("messages_ignored", channel=channel, count=self._ignored)
        return body
