"""What comes by pub/sub, and what of it is believed: messages that this deployment signed, on their own channel."""

import time

import structlog

from activity import message
from db.log import deployment

log = structlog.get_logger()

_SAME_AGAIN_S = 60.0


class Subscription:
    """Opens this deployment's messages. All others are ignored: they are counted and logged once a minute."""

    def __init__(self) -> None:
        self._name = deployment.name("reader")
        self._keys = deployment.message_keys("reader")
        self._ignored = 0
        self._logged_at = -_SAME_AGAIN_S

    @property
    def pattern(self) -> str:
        """The channels of all workspaces."""
        return message.channel(self._name, "*")

    def channel(self, tenant_id: int) -> str:
        """Return the channel of a workspace."""
        return message.channel(self._name, tenant_id)

    def opened(self, channel: str, data: bytes) -> bytes | None:
        """Return an authentic message, or None."""
        for keys in (self._keys.all(), self._keys.all(fresh=True)):
            body = message.opened(keys, channel, data)
            if body is not None:
                return body
        self._ignored += 1
        if time.monotonic() - self._logged_at >= _SAME_AGAIN_S:
            self._logged_at = time.monotonic()
            log.warning("messages_ignored", channel=channel, count=self._ignored)
        return None
