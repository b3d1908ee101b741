"""A real mail server in a process of its own that fails on purpose.

421, 450 and 550 answers, drops, slowness.

Arguments: the port, the file that gets a line for each mail taken (before the answer is sent), and the share
of faults, such as 0.15. A line is the recipient and the Message-ID. Addresses whose number ends in 50 do not
exist; the other faults fall by chance.
"""

import asyncio
import random
import sys
from email.parser import BytesHeaderParser
from pathlib import Path

from aiosmtpd.controller import UnthreadedController
from aiosmtpd.smtp import SMTP, Envelope, Session

_FAULTS = ("421 4.3.2 going down", "450 4.2.1 try later", "452 4.3.1 no room", "drop", "slow")


class Faulty:
    def __init__(self, taken: Path, share: float) -> None:
        self._taken = taken.open("a", buffering=1)
        self._share = share
        self._random = random.Random(1)

    async def handle_EHLO(
        self, server: SMTP, session: Session, envelope: Envelope, host: str, answer: list[str]
    ) -> list[str]:  # aiosmtpd's name
        session.host_name = host
        return [answer[0], "250-PIPELINING", *answer[1:]]

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:  # aiosmtpd's name
        if address.partition("@")[0].endswith("50"):
            return "550 5.1.1 no such user"
        fault = await self._fault(server)
        if fault is None:
            envelope.rcpt_tos.append(address)
        return fault or "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # aiosmtpd's name
        if self._random.random() < self._share / 30:  # the mail is taken, and nobody hears of it
            self._keep(envelope)
            _abort(server)
            return "250 taken"
        fault = await self._fault(server)
        if fault is None:
            self._keep(envelope)
        return fault or "250 taken"

    async def _fault(self, server: SMTP) -> str | None:
        fault = self._random.choice(_FAULTS) if self._random.random() < self._share / 2 else None
        if fault == "slow":
            await asyncio.sleep(self._random.random() / 2)
            return None
        if fault == "drop":
            _abort(server)
            return "421 4.3.2 gone"
        return fault

    def _keep(self, envelope: Envelope) -> None:
        assert isinstance(envelope.content, bytes)
        self._taken.write(
            f"{envelope.rcpt_tos[0]} {BytesHeaderParser().parsebytes(envelope.content)['Message-ID']}\n"
        )


def _abort(server: SMTP) -> None:
    assert isinstance(server.transport, asyncio.WriteTransport)
    server.transport.abort()


def main() -> None:
    loop = asyncio.new_event_loop()
    handler = Faulty(Path(sys.argv[2]), float(sys.argv[3]))
    UnthreadedController(handler, hostname="127.0.0.1", port=int(sys.argv[1]), loop=loop).begin()  # type: ignore[no-untyped-call]  # aiosmtpd has half its types
    loop.run_forever()


if __name__ == "__main__":
    main()
