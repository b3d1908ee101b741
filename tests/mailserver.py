"""A real SMTP server for tests, in this process, that fails where it is told to."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

Fault = str | None
"""What the server answers instead, such as "451 4.3.0 later"; "drop" closes the connection,
    "drop-after" does so after taking the mail,
and "slow" waits until eleven others were taken."""


class Sink:
    """What the server took, and what it does wrong.

    `at_mail(address)`, `at_rcpt(address)` and `at_data(address)` return a fault or None.

    `takes` is how many connections it greets; `heedless` has it want the content of a mail that it refused.
    """

    def __init__(self, pipelining: bool = True) -> None:
        self._pipelining = pipelining
        self.takes = 1000
        self.heedless = False
        self.eleven_taken = asyncio.Event()
        self.taken: list[tuple[str, bytes]] = []
        self.at_mail: Callable[[str], Fault] = lambda _: None
        self.at_rcpt: Callable[[str], Fault] = lambda _: None
        self.at_data: Callable[[str], Fault] = lambda _: None
        self.port = 0

    async def handle_EHLO(
        self, server: SMTP, session: Session, envelope: Envelope, host: str, answer: list[str]
    ) -> list[str]:
        self.takes -= 1
        if self.takes < 0:
            return ["421 4.7.0 too many connections"]
        session.host_name = host
        return [answer[0], "250-PIPELINING", *answer[1:]] if self._pipelining else answer

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if fault := self.at_mail(address):
            return fault
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        fault = self.at_rcpt(address)
        if fault == "slow":
            await self.eleven_taken.wait()
            fault = None
        if fault == "drop":
            _abort(server)
        if fault and not self.heedless:
            return "421 4.3.0 gone" if fault == "drop" else fault
        envelope.rcpt_tos.append(address)
        return fault or "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        (address,) = envelope.rcpt_tos
        fault = self.at_data(address)
        if fault in ("drop", "drop-after"):
            _abort(server)
        if fault in (None, "drop-after"):
            assert isinstance(envelope.content, bytes)
            self.taken.append((address, envelope.content))
            if len(self.taken) == 11:
                self.eleven_taken.set()
        return "250 2.0.0 taken as 4711" if fault in (None, "drop", "drop-after") else str(fault)

    def mails(self) -> list[EmailMessage]:
        """Return what was taken, read by the standard library."""
        found: list[Any] = [BytesParser(policy=default).parsebytes(content) for _, content in self.taken]
        return found


def _abort(server: SMTP) -> None:
    assert isinstance(server.transport, asyncio.WriteTransport)
    server.transport.abort()


@contextmanager
def running(sink: Sink, port: int, **options: Any) -> Iterator[Sink]:
    """Run the server on a port until the end of the block; the options are the controller's."""
    controller = Controller(sink, hostname="127.0.0.1", port=port, enable_SMTPUTF8=True, **options)
    controller.start()
    sink.port = port
    try:
        yield sink
    finally:
        controller.stop()
