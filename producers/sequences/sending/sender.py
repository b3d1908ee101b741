"""The rounds in which a mailbox's mails go to its server: one mail over each connection, and one commit for all of them.

`sending` is committed when the mail server has all of a mail but its end; then the end is sent, and after the server's 250 `sent` is
committed together with email.sent. A worker that dies between the two leaves `sending`, and nobody can know: it becomes `unknown`, and is
not sent again. Wherever else it dies, the mail was not taken, and is sent by whoever claims it next.
"""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import islice
from typing import Any, NamedTuple, TypeAlias

from sqlalchemy.exc import OperationalError

from activity.errors import ActivityError
from activity.settings import settings
from db.sequences.sending import Mailbox
from producers.sequences.mail import AddressInvalid, Mail, Outgoing, compose
from producers.sequences.sending import outcome
from producers.sequences.sending.outcome import Sent
from producers.sequences.sending.smtp import Connection, Dropped, Refused, ServerDown, Undecided
from producers.sequences.templates import TemplateInvalid
from worker.group_commit import Batched

_SEND_S = 10.0  # then the rest is given back, so that a slow server never holds a chunk beyond its lease
_MAILS_A_CONNECTION = 5  # fewer are not worth one of their own
_SOON_S = 0.02  # mails wait so long for those on the other connections, to be marked with them
_AT_ONCE_S = 0.005  # and so long once they were taken, to be kept with them


class Books(NamedTuple):
    """Where all senders of a chunk commit together: which mails the server is about to have, and which it took."""

    marks: Batched[Outgoing, bool]
    sents: Batched[Sent, None]


class _Begun(NamedTuple):
    """A mail of which the mail server has all but the end."""

    connection: Connection
    out: Outgoing
    mail: Mail


Turns: TypeAlias = set[asyncio.Task[_Begun | None]]


class Sender:
    """The connections to a mailbox's server. Their mails go in rounds, one over each, so that one commit serves them all."""

    def __init__(self, books: Books, box: Mailbox, mails: Sequence[Outgoing]) -> None:
        self._books, self._box, self._waiting = books, box, deque(mails)
        count = min(settings().smtp_connections, -(-len(mails) // _MAILS_A_CONNECTION))
        self._connections = [Connection(box) for _ in range(count)]
        self._composed: dict[int, Mail] = {}  # by row id: mails whose turn comes next
        self._ending = 0  # mails whose end the server has, without its answer
        self._taken: list[
            Sent
        ] = []  # what it took and is not committed yet: when no other is ending, or soon
        self._saving: list[asyncio.Task[None]] = []
        self._down: ServerDown | None = None
        self._until = time.monotonic() + _SEND_S
        self._tally = Counter[str]()

    async def send(self) -> Counter[str]:
        """Send the mails and keep what became of each; what cannot be sent now is given back."""
        turns = {asyncio.create_task(self._turn(connection)) for connection in self._connections}
        try:
            while turns:
                turns = await self._round(turns)
        except BaseException:
            self._until = 0.0
            await asyncio.gather(*turns, return_exceptions=True)
            for connection in self._connections:
                connection.drop()  # not closed politely: a goodbye within a content would become part of it
            raise
        finally:
            await self._saved()
        await asyncio.gather(*(connection.close() for connection in self._connections))
        if self._waiting:
            await asyncio.to_thread(outcome.leave, self._box, list(self._waiting), self._down)
            self._tally["given back"] += len(self._waiting)
        return self._tally

    async def _round(self, turns: Turns) -> Turns:
        """Mark the mails of all turns that are done soon, and let each go on; who is slow is waited for by nobody else."""
        done, slow = await asyncio.wait(turns, timeout=_SOON_S)
        begun = [one for turn in done if (one := turn.result()) is not None]
        await self._saved()
        marking = asyncio.gather(*(self._books.marks.put(one.out) for one in begun))
        await asyncio.sleep(0)  # it has begun
        self._compose_ahead(len(begun))
        marked = await marking
        return slow | {
            asyncio.create_task(self._turn(one.connection, one, may))
            for one, may in zip(begun, marked, strict=True)
        }

    async def _turn(
        self, connection: Connection, begun: _Begun | None = None, may: bool = True
    ) -> _Begun | None:
        """End the mail that was begun, or break it off, and begin the next one; None: there is none to begin."""
        if begun is not None:
            await (self._end(begun) if may else self._look_again(begun))
        while (
            connection in self._connections
            and self._waiting
            and self._down is None
            and time.monotonic() < self._until
        ):
            if (begun := await self._begin(connection, self._waiting.popleft())) is not None:
                return begun
        return None

    def _compose_ahead(self, count: int) -> None:
        """Write the next mails while the database commits."""
        for out in islice(self._waiting, count):
            with suppress(TemplateInvalid, AddressInvalid):  # which is said when its turn comes
                self._composed[out.row_id] = compose(out, self._box)

    async def _begin(self, connection: Connection, out: Outgoing) -> _Begun | None:
        """Give the server a mail but for its end; where that is not to be, keep what became of it."""
        try:
            mail = self._composed.pop(out.row_id, None) or compose(out, self._box)
        except (TemplateInvalid, AddressInvalid) as error:
            await self._keep(outcome.skip, out, str(error))
            return None
        try:
            await connection.begin(mail)
        except ServerDown as down:
            self._waiting.appendleft(out)
            self._connections.remove(connection)  # a server may take fewer than we would like
            await connection.close()
            if down.lasting or not self._connections:
                self._down = down
            return None
        except Refused as refused:
            await self._keep(outcome.keep_refused, out, mail, refused)
            return None
        except Dropped as dropped:
            await self._keep(outcome.put_off, out, mail, str(dropped), None)
            return None
        return _Begun(connection, out, mail)

    async def _end(self, begun: _Begun) -> None:
        connection, out, mail = begun
        self._ending += 1
        try:
            answer = await connection.end()
        except Refused as refused:
            await self._keep(outcome.keep_refused, out, mail, refused)
        except Undecided as undecided:
            await self._keep(outcome.keep_unknown, out, mail, str(undecided))
        else:
            if not self._taken:
                asyncio.get_running_loop().call_later(_AT_ONCE_S, self._save)
            self._taken.append(Sent(out, mail, self._box, answer))
            self._tally["sent"] += 1
        finally:
            self._ending -= 1
        if not self._ending:
            self._save()

    async def _look_again(self, begun: _Begun) -> None:
        begun.connection.drop()
        await self._keep(outcome.look_again, begun.out)

    async def _keep(self, keep: Callable[..., str], out: Outgoing, *what: Any) -> None:
        self._tally[await asyncio.to_thread(outcome.insist, keep, out, *what)] += 1

    def _save(self) -> None:
        """Have what the server took committed, while the next mails are begun."""
        if not self._taken:
            return
        self._saving.append(asyncio.create_task(self._keep_sent(self._taken)))
        self._taken = []

    async def _saved(self) -> None:
        """Return when all that the server took is committed."""
        self._save()
        saving, self._saving = self._saving, []
        await asyncio.gather(*saving)

    async def _keep_sent(self, taken: Sequence[Sent]) -> None:
        try:
            await asyncio.gather(*map(self._books.sents.put, taken))
        except (OperationalError, ActivityError):  # perhaps for the sake of another mail: alone, and again
            for one in taken:
                await asyncio.to_thread(outcome.insist, outcome.keep_sent, *one)
