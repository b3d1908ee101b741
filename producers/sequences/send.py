"""Sends what the gate let pass: over several connections at once, each mail between two commits around the one moment that counts.

`sending` is committed when the mail server has all of a mail but its end; then the end is sent, and after the server's 250 `sent` is
committed together with email.sent. A worker that dies between the two leaves `sending`, and nobody can know: it becomes `unknown`, and is
not sent again. Wherever else it dies, the mail was not taken, and is sent by whoever claims it next.
"""

import asyncio
import random
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, NamedTuple, TypeAlias

import structlog
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from activity.errors import ActivityError
from activity.event import Event
from activity.settings import settings
from db import sending, sequences, suppression
from db.batched import Batched
from db.engine import EVERY_TENANT, begin
from db.sending import Mailbox, Move
from producers.sequences import events
from producers.sequences.chunk import Chunk, take
from producers.sequences.enrol import stop
from producers.sequences.gate import after
from producers.sequences.mail import AddressInvalid, Mail, Outgoing, compose
from producers.sequences.smtp import Connection, Dropped, Refused, ServerDown, Undecided
from producers.sequences.templates import TemplateInvalid
from worker.emit import emit

log = structlog.get_logger()


class Sent(NamedTuple):
    """A mail that the mail server took."""

    out: Outgoing
    mail: Mail
    box: Mailbox
    answer: str


class Books(NamedTuple):
    """Where all senders of a chunk commit together: which mails the server is about to have, and which it took."""

    marks: Batched[Outgoing, bool]
    sents: Batched[Sent, None]


CHUNK = 200
_SEND_S = 10.0  # then the rest is given back, so that a slow server never holds a chunk beyond its lease
_MAILS_A_CONNECTION = 5  # fewer are not worth one of their own
_SOON_S = 0.02  # mails wait so long for those on the other connections, to be committed with them
_MOST_TRIES = 10
_LONGEST_WAIT_S = 4 * 3600.0


def send_chunk(limit: int = CHUNK) -> Counter[str]:
    """Send what is due and may go, up to `limit` mails; an empty tally says that nothing was due."""
    tally = Counter({"unknown": _give_up_undecided()})
    with begin("producer", EVERY_TENANT) as session:
        chunk = take(session, limit)
    return tally + chunk.tally + (asyncio.run(_send_all(chunk)) if chunk.mails else Counter())


async def _send_all(chunk: Chunk) -> Counter[str]:
    """Send the mails of all mailboxes at once; a fault of ours is raised when all are done."""
    books, tally = Books(Batched(_mark), Batched(_keep_sents)), Counter[str]()
    senders = [_Sender(books, chunk.boxes[key], mails) for key, mails in chunk.mails.items()]
    for done in await asyncio.gather(*(sender.send() for sender in senders), return_exceptions=True):
        if isinstance(done, BaseException):
            raise done
        tally += done
    return tally


def _give_up_undecided() -> int:
    with begin("producer", EVERY_TENANT) as session:
        lost = sending.give_up_undecided(session, settings().send_lease_s)
        for row_id in lost:
            message = sequences.message_by_row(session, row_id)
            if message is not None:
                emit(session, events.undecided(message, "unknown: the worker ended before the mail server's answer was kept"))
    if lost:
        log.error("mail_unknown", messages=lost)
    return len(lost)


class _Begun(NamedTuple):
    """A mail of which the mail server has all but the end."""

    connection: Connection
    out: Outgoing
    mail: Mail


Turns: TypeAlias = set[asyncio.Task[_Begun | None]]


class _Sender:
    """The connections to a mailbox's server. Their mails go in rounds, one over each, so that one commit serves them all."""

    def __init__(self, books: Books, box: Mailbox, mails: Sequence[Outgoing]) -> None:
        self._books, self._box, self._waiting = books, box, deque(mails)
        count = min(settings().smtp_connections, -(-len(mails) // _MAILS_A_CONNECTION))
        self._connections = [Connection(box) for _ in range(count)]
        self._composed: dict[int, Mail] = {}  # by row id: mails whose turn comes next
        self._ending = 0  # mails whose end the server has, without its answer
        self._taken: list[Sent] = []  # what it took and is not committed yet: when no other is ending, or soon
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
            await asyncio.to_thread(_leave, self._box, list(self._waiting), self._down)
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
        return slow | {asyncio.create_task(self._turn(one.connection, one, may)) for one, may in zip(begun, marked, strict=True)}

    async def _turn(self, connection: Connection, begun: _Begun | None = None, may: bool = True) -> _Begun | None:
        """End the mail that was begun, or break it off, and begin the next one; None: there is none to begin."""
        if begun is not None:
            await (self._end(begun) if may else self._look_again(begun))
        while connection in self._connections and self._waiting and self._down is None and time.monotonic() < self._until:
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
            await self._keep(_skip, out, str(error))
            return None
        try:
            await connection.begin(mail)
        except ServerDown as down:
            self._waiting.appendleft(out)
            self._connections.remove(connection)  # a server may take fewer than we would like
            if down.lasting or not self._connections:
                self._down = down
            return None
        except Refused as refused:
            await self._keep(_refused, out, mail, refused)
            return None
        except Dropped as dropped:
            await self._keep(_put_off, out, mail, str(dropped), None)
            return None
        return _Begun(connection, out, mail)

    async def _end(self, begun: _Begun) -> None:
        connection, out, mail = begun
        self._ending += 1
        try:
            answer = await connection.end()
        except Refused as refused:
            await self._keep(_refused, out, mail, refused)
        except Undecided as undecided:
            await self._keep(_undecided, out, mail, str(undecided))
        else:
            self._taken.append(Sent(out, mail, self._box, answer))
            self._tally["sent"] += 1
        finally:
            self._ending -= 1
        if self._taken and not self._ending:
            self._save()

    async def _look_again(self, begun: _Begun) -> None:
        begun.connection.drop()
        await self._keep(_look_again, begun.out)

    async def _keep(self, keep: Callable[..., str], out: Outgoing, *what: Any) -> None:
        self._tally[await asyncio.to_thread(_insist, keep, out, *what)] += 1

    def _save(self) -> None:
        """Have what the server took committed, while the next mails are begun."""
        self._saving.append(asyncio.create_task(self._keep_sent(self._taken)))
        self._taken = []

    async def _saved(self) -> None:
        """Return when all that the server took is committed."""
        if self._taken:
            self._save()
        saving, self._saving = self._saving, []
        await asyncio.gather(*saving)

    async def _keep_sent(self, taken: Sequence[Sent]) -> None:
        try:
            await asyncio.gather(*map(self._books.sents.put, taken))
        except (OperationalError, ActivityError):  # perhaps for the sake of another mail: alone, and again
            for one in taken:
                await asyncio.to_thread(_insist, _keep_one, *one)


def _mark(outs: Sequence[Outgoing]) -> list[bool]:
    """Commit that the server is about to have these mails; False: it must not have that one."""
    margin_s = min(settings().smtp_timeout_s, settings().send_lease_s / 3)
    marks = [sending.Marked(out.row_id, out.due.fence, suppression.targets(out.due.email or "")) for out in outs]
    with begin("producer", EVERY_TENANT) as session:
        free = sending.mark(session, marks, margin_s)
    return [out.row_id in free for out in outs]


def _keep_sents(sents: Sequence[Sent]) -> list[None]:
    with begin("producer", EVERY_TENANT) as session:
        _keep(session, sents)
    return [None] * len(sents)


def _insist(keep: Callable[..., str], out: Outgoing, *what: Any) -> str:
    """Keep what became of a mail, again and again while the database is away: forgetting it would make it unknown."""
    trying = Retrying(
        retry=retry_if_exception_type(OperationalError),
        stop=stop_after_delay(settings().send_lease_s / 2),
        wait=wait_fixed(0.5),
        reraise=True,
    )
    for attempt in trying:
        with attempt, begin("producer", out.due.tenant_id) as session:
            word = keep(session, out, *what)
    return word


def _keep(session: Session, sents: Sequence[Sent]) -> None:
    """Keep mails as sent, say so, and move their enrolments on; what another worker holds by now stays as it is."""
    sents = sorted(sents, key=lambda one: one.out.due.id)  # enrolments are always moved in this order
    moves = {one.out.due.id: _next(one.out) for one in sents}
    taken = [sending.Taken(one.out.row_id, one.out.due.fence, one.answer[:1000], one.mail.subject, moves[one.out.due.id]) for one in sents]
    kept, moved = sending.keep_sent(session, taken)
    new = [one for one in sents if one.out.row_id in kept]
    ended = [one.out for one in new if one.out.due.id in moved]
    emit(session, [*(events.sent(one.out, one.mail, one.box) for one in new), *_ends(ended, moves, sent=1)])
    for box in {one.box.id for one in new if one.box.failures}:
        sending.forget_failures(session, box)


def _keep_one(session: Session, *sent: Any) -> str:
    _keep(session, [Sent(*sent)])
    return "sent"


def _go_on(session: Session, out: Outgoing) -> None:
    """Move an enrolment to its next step, or to its end, without the mail; one that was stopped meanwhile stays as it is."""
    moves = {out.due.id: _next(out)}
    if sending.move(session, list(moves.values())):
        emit(session, _ends([out], moves))


def _ends(moved: Sequence[Outgoing], moves: Mapping[int, Move], sent: int = 0) -> list[Event]:
    """Return what there is to say of the enrolments that ended by their moves; `sent` is what their last step adds."""
    ended = [out for out in moved if moves[out.due.id].state == "finished"]
    return [events.ended(out.due, moves[out.due.id].step, "completed", out.due.sent + sent) for out in ended]


def _next(out: Outgoing) -> Move:
    step, wait = after(out.definition, out.step)
    if wait or out.definition.step(step) is not None:
        return Move(out.due.id, out.due.fence, step, datetime.now(UTC) + wait)
    return Move(out.due.id, out.due.fence, step, None, state="finished", reason="completed")


def _refused(session: Session, out: Outgoing, mail: Mail, refused: Refused) -> str:
    if not refused.lasting:
        return _put_off(session, out, mail, str(refused), refused.status)
    return _bounced(session, out, mail, refused, _kind(refused))


def _kind(refused: Refused) -> str:
    """Say what a 5xx tells of the address: hard only where it is the address that is wrong, not our standing or the mail's content."""
    if refused.status is None:
        return "hard" if refused.code in (550, 551, 553) else "unknown"
    if refused.status.startswith("5.1.") or refused.status in ("5.2.1", "5.0.0"):
        return "hard"
    return "soft" if refused.status.startswith("5.2.") else "unknown"


def _bounced(session: Session, out: Outgoing, mail: Mail, refused: Refused, kind: str) -> str:
    if not sending.conclude(session, out.row_id, out.due.fence, "bounced", str(refused), mail.subject):
        return "kept before"
    event, address = events.bounced(out, mail, refused, kind), out.due.email or ""
    emit(session, event)
    if kind == "hard":
        suppression.add(session, out.due.tenant_id, address, "bounced", cause_id=event.event_id)
        stop(session, out.due.tenant_id, out.due.contact_id, "bounced", cause_id=event.event_id)
    else:
        if kind == "soft":
            suppression.count_soft_bounce(session, out.due.tenant_id, address)
        _go_on(session, out)
    return "bounced"


def _put_off(session: Session, out: Outgoing, mail: Mail, reason: str, status: str | None) -> str:
    """Try again later, each time after twice as long; after the last try it is a soft bounce."""
    attempt = out.due.attempt + 1
    if attempt >= _MOST_TRIES:
        return _bounced(session, out, mail, Refused(451, f"given up after {attempt} tries: {reason}"), "soft")
    if not sending.conclude(session, out.row_id, out.due.fence, "deferred", reason, mail.subject):
        return "kept before"
    emit(session, events.deferred(out, mail, reason, status, attempt))
    wait = min(settings().smtp_retry_s * 2 ** (attempt - 1), _LONGEST_WAIT_S)
    due_at = datetime.now(UTC) + timedelta(seconds=wait)
    sending.move(session, [Move(out.due.id, out.due.fence, out.step, due_at, attempt, reason=f"put off: {reason}")])
    return "deferred"


def _undecided(session: Session, out: Outgoing, mail: Mail, reason: str) -> str:
    if not sending.conclude(session, out.row_id, out.due.fence, "unknown", reason, mail.subject):
        return "kept before"
    message = sequences.message_by_row(session, out.row_id)
    if message is not None:
        emit(session, events.undecided(message, f"unknown: {reason}"))
    _go_on(session, out)
    return "unknown"


def _skip(session: Session, out: Outgoing, reason: str) -> str:
    """End the enrolment: a mail that cannot be written is not sent, and neither are those that build on it."""
    if not sending.conclude(session, out.row_id, out.due.fence, "skipped", reason):
        return "kept before"
    emit(session, [events.skipped(out.due, out.step, reason), events.ended(out.due, out.step, f"step {out.step}: {reason}", out.due.sent)])
    sending.move(session, [Move(out.due.id, out.due.fence, out.step, None, state="finished", reason=f"step {out.step}: {reason}")])
    return "skipped"


def _look_again(session: Session, out: Outgoing) -> str:
    """Something changed since the gate: let it say what, at once; where the claim is another's by now this changes nothing."""
    sending.move(session, [Move(out.due.id, out.due.fence, out.step, datetime.now(UTC), out.due.attempt)])
    return "given back"


def _leave(box: Mailbox, mails: Sequence[Outgoing], down: ServerDown | None) -> None:
    """Give back what was not sent; where the server is down, pause the mailbox, longer each time."""
    if down is None:
        _give_back(box, mails, datetime.now(UTC), None)
        return
    wait = min(settings().smtp_retry_s * 2 ** min(box.failures, 20), _LONGEST_WAIT_S)
    until = None if down.lasting else datetime.now(UTC) + timedelta(seconds=wait)
    with begin("producer", box.tenant_id) as session:
        if sending.pause_mailbox(session, box.id, until, str(down)):
            emit(session, events.mailbox_paused(box, until, str(down)))
    log.warning("mailbox_paused", mailbox=box.address, reason=str(down), until=until and until.isoformat())
    _give_back(box, mails, until, f"mailbox paused: {down}")


def _give_back(box: Mailbox, mails: Sequence[Outgoing], due_at: datetime | None, reason: str | None) -> None:
    """Let others send these mails, at `due_at` or when the mailbox is resumed; they count against no limit."""
    spread = timedelta(seconds=random.random())  # noqa: S311  # no secret
    with begin("producer", box.tenant_id) as session:
        back = [Move(out.due.id, out.due.fence, out.step, due_at and due_at + spread, out.due.attempt, reason=reason) for out in mails]
        sending.move(session, back)
        sending.give_back(session, box, len(back))
