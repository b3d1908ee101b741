"""The rounds in which a mailbox's mails go to its server.

A round is one mail over each connection, and one commit for all of them. `sending` is committed when the mail
server has all of a mail but its end; then the end is sent, and after the server's 250 `sent` is committed
together with email.sent. A worker that dies between the two leaves `sending`, and the mail may or may not
have been accepted: it becomes `unknown`, and is not sent again. Wherever else a worker dies, the mail was not
accepted, and whoever claims it next sends it.
"""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Sequence
from contextlib import suppress
from itertools import islice
from typing import NamedTuple, TypeAlias

from sqlalchemy.exc import OperationalError

from activity.errors import ActivityError
from activity.settings import settings
from db.sequences.limits import Mailbox
from producers.sequences.mail import ComposedMail, InvalidAddress, Outgoing, compose
from producers.sequences.sending.outcomes import (
    AcceptedMail,
    DroppedMail,
    HeldMail,
    Outcome,
    RefusedMail,
    RequeuedMail,
    UndecidedMail,
    UnwritableMail,
    retry_until_saved,
)
from producers.sequences.sending.returning import return_unsent
from producers.sequences.sending.smtp import Connection, Dropped, Refused, ServerDown, Undecided
from producers.sequences.templates import InvalidTemplate
from worker.group_commit import Batched

_SEND_S = 10.0  # then the rest is returned, so that a slow server never holds a chunk beyond its lease
_MAILS_A_CONNECTION = 5  # fewer are not worth a connection of their own
_SOON_S = 0.02  # mails wait so long for those on the other connections, to be marked with them
_AT_ONCE_S = 0.005  # and so long once they were accepted, to be saved with them


class GroupCommits(NamedTuple):
    """Where all senders of a chunk commit together which mails the server is about to have, and accepted."""

    marks: Batched[Outgoing, bool]
    accepted: Batched[AcceptedMail, None]


class _OpenMail(NamedTuple):
    """A mail of which the mail server has all but the end."""

    connection: Connection
    out: Outgoing
    mail: ComposedMail


Turns: TypeAlias = set[asyncio.Task[_OpenMail | None]]


class Sender:
    """The connections to a mailbox's server: mails go in rounds, so that one commit serves a whole round."""

    def __init__(self, commits: GroupCommits, box: Mailbox, mails: Sequence[Outgoing]) -> None:
        self._commits, self._box, self._waiting = commits, box, deque(mails)
        count = min(settings().smtp_connections, -(-len(mails) // _MAILS_A_CONNECTION))
        self._connections = [Connection(box) for _ in range(count)]
        self._composed: dict[int, ComposedMail] = {}  # by row id: mails whose turn comes next
        self._ending = 0  # mails whose end the server has, without its answer
        self._accepted: list[AcceptedMail] = []  # not committed yet: when no other is ending, or soon
        self._saving: list[asyncio.Task[None]] = []
        self._down: ServerDown | None = None
        self._until = time.monotonic() + _SEND_S
        self._tally = Counter[str]()

    async def send(self) -> Counter[str]:
        """Send the mails and save what became of each; what cannot be sent now is returned."""
        turns = {asyncio.create_task(self._turn(connection)) for connection in self._connections}
        try:
            while turns:
                turns = await self._round(turns)
        except BaseException:
            self._until = 0.0
            await asyncio.gather(*turns, return_exceptions=True)
            for connection in self._connections:
                connection.drop()  # not closed politely: a QUIT within a content would become part of it
            raise
        finally:
            await self._all_saved()
        await asyncio.gather(*(connection.close() for connection in self._connections))
        if self._waiting:
            await asyncio.to_thread(return_unsent, self._box, list(self._waiting), self._down)
            self._tally["given back"] += len(self._waiting)
        return self._tally

    async def _round(self, turns: Turns) -> Turns:
        """Mark the mails of all turns that are done soon, and let each go on.

        No turn waits for a slow one.
        """
        done, slow = await asyncio.wait(turns, timeout=_SOON_S)
        opened = [one for turn in done if (one := turn.result()) is not None]
        await self._all_saved()
        marking = asyncio.gather(*(self._commits.marks.put(one.out) for one in opened))
        await asyncio.sleep(0)  # the commit has started
        self._compose_ahead(len(opened))
        marked = await marking
        return slow | {
            asyncio.create_task(self._turn(one.connection, one, may))
            for one, may in zip(opened, marked, strict=True)
        }

    async def _turn(
        self, connection: Connection, opened: _OpenMail | None = None, may: bool = True
    ) -> _OpenMail | None:
        """End the open mail, or break it off, and open the next one; None: there is none to open."""
        if opened is not None:
            await (self._end(opened) if may else self._requeue(opened))
        while self._goes_on(connection):
            if (opened := await self._open(connection, self._waiting.popleft())) is not None:
                return opened
        return None

    def _goes_on(self, connection: Connection) -> bool:
        """Return whether the connection has another mail to send."""
        usable = connection in self._connections and self._down is None
        return usable and bool(self._waiting) and time.monotonic() < self._until

    def _compose_ahead(self, count: int) -> None:
        """Write the next mails while the database commits."""
        for out in islice(self._waiting, count):
            with suppress(InvalidTemplate, InvalidAddress):  # raised again, and saved, when its turn comes
                self._composed[out.row_id] = compose(out, self._box)

    async def _open(self, connection: Connection, out: Outgoing) -> _OpenMail | None:
        """Give the server a mail but for its end; where that fails, save what became of the mail."""
        try:
            mail = self._composed.pop(out.row_id, None) or compose(out, self._box)
        except (InvalidTemplate, InvalidAddress) as error:
            await self._save(UnwritableMail(out, str(error)))
            return None
        try:
            await connection.begin(mail)
        except ServerDown as down:
            await self._give_up(connection, out, down)
        except Refused as refused:
            await self._save(RefusedMail(out, mail, refused))
        except Dropped as dropped:
            await self._save(DroppedMail(out, mail, str(dropped)))
        else:
            return _OpenMail(connection, out, mail)
        return None

    async def _give_up(self, connection: Connection, out: Outgoing, down: ServerDown) -> None:
        """Go on without a connection: a server may accept fewer than we would like."""
        self._waiting.appendleft(out)
        self._connections.remove(connection)
        await connection.close()
        if down.of_mailbox or not self._connections:
            self._down = down

    async def _end(self, opened: _OpenMail) -> None:
        connection, out, mail = opened
        self._ending += 1
        try:
            answer = await connection.end()
        except ServerDown as down:
            await self._save(HeldMail(out, mail, str(down)))
            await self._give_up(connection, out, down)
        except Refused as refused:
            await self._save(RefusedMail(out, mail, refused))
        except Undecided as undecided:
            await self._save(UndecidedMail(out, mail, str(undecided)))
        else:
            if not self._accepted:
                asyncio.get_running_loop().call_later(_AT_ONCE_S, self._save_accepted)
            self._accepted.append(AcceptedMail(out, mail, self._box, answer))
            self._tally["sent"] += 1
        finally:
            self._ending -= 1
        if not self._ending:
            self._save_accepted()

    async def _requeue(self, opened: _OpenMail) -> None:
        opened.connection.drop()
        await self._save(RequeuedMail(opened.out))

    async def _save(self, outcome: Outcome) -> None:
        self._tally[await asyncio.to_thread(retry_until_saved, outcome)] += 1

    def _save_accepted(self) -> None:
        """Have what the server accepted committed, while the next mails are opened."""
        if not self._accepted:
            return
        self._saving.append(asyncio.create_task(self._commit(self._accepted)))
        self._accepted = []

    async def _all_saved(self) -> None:
        """Return when everything that the server accepted is committed."""
        self._save_accepted()
        saving, self._saving = self._saving, []
        await asyncio.gather(*saving)

    async def _commit(self, accepted: Sequence[AcceptedMail]) -> None:
        try:
            await asyncio.gather(*map(self._commits.accepted.put, accepted))
        except (OperationalError, ActivityError):  # perhaps because of another mail: alone, and again
            for one in accepted:
                await asyncio.to_thread(retry_until_saved, one)
