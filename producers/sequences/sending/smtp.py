"""One connection to a mail server, by the moments that matter: before, at and after the end of a content."""

import asyncio
import re
import ssl
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from typing import NamedTuple

import aiosmtplib

from activity.errors import ActivityError
from activity.settings import settings
from db.sequences.limits import Mailbox
from producers.mail.judge import MailVerdict, judge
from producers.sequences.mail import ComposedMail
from producers.sequences.tracking import check_reachable


class ServerDown(ActivityError):
    """The mail server accepts nothing from this mailbox now.

    `permanent`: it will not until a person changes something. `of_mailbox`: no other connection helps, since
    the server refuses the mailbox itself, for its standing or its quota.
    """

    def __init__(self, reason: str, *, permanent: bool = False, of_mailbox: bool = False) -> None:
        super().__init__(reason)
        self.permanent = permanent
        self.of_mailbox = of_mailbox or permanent


class Refused(ActivityError):
    """The mail server answered 4xx or 5xx to this mail: it did not accept it."""

    def __init__(self, code: int, answer: str, *, after_data: bool = False) -> None:
        super().__init__(f"{code} {answer}")
        self.code = code
        self.after_data = after_data
        self.status = match[0] if (match := re.search(r"\b[245]\.\d{1,3}\.\d{1,3}\b", answer)) else None

    @property
    def permanent(self) -> bool:
        """Whether a retry cannot succeed."""
        return self.code >= 500

    @property
    def verdict(self) -> MailVerdict:
        """What the answer is about."""
        return judge(status=self.status, words=str(self), code=self.code, after_data=self.after_data)


class Dropped(ActivityError):
    """The connection ended before the content did: the mail was not accepted."""


class Undecided(ActivityError):
    """The connection ended between the whole content and the answer: the mail may have been accepted."""


class SmtpReply(NamedTuple):
    """What a server answered."""

    code: int
    text: str


class SmtpSession(NamedTuple):
    """An open connection after its greeting and login, and what the server can do."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    pipelining: bool
    smtputf8: bool


_LONGEST_REPLY, _LONGEST_TEXT = 100, 500  # lines, characters
_REPLY = re.compile(rb"[2-5]\d\d[ \r\n-]")


class Connection:
    """A connection for one mail after another; opened when it is first needed, and again after it broke."""

    def __init__(self, box: Mailbox) -> None:
        self._box = box
        self._session: SmtpSession | None = None

    async def begin(self, mail: ComposedMail) -> None:
        """Send the envelope and the content but for its end.

        Raises ServerDown, Refused or Dropped: the mail was not accepted.
        """
        session = await self._opened()
        if mail.smtputf8 and not session.smtputf8:
            raise Refused(553, "5.6.7 the mail server has no SMTPUTF8, which this address needs")
        options = " SMTPUTF8 BODY=8BITMIME" if mail.smtputf8 else ""
        envelope = f"MAIL FROM:<{mail.sender}>{options}", f"RCPT TO:<{mail.recipient}>", "DATA"
        try:
            replies = await _ask(session, *envelope)
            if (refused := _refusal(replies)) is not None:
                await self._reset(refused, replies)
                if refused is replies[0] and refused.code >= 500:
                    reason = f"{mail.sender} may not send: {refused.code} {refused.text}"
                    passes = Refused(*refused).verdict.passes
                    raise ServerDown(reason, permanent=not passes, of_mailbox=True)
                raise _refused(Refused(*refused))
            session.writer.write(mail.content.replace(b"\r\n.", b"\r\n.."))
            async with asyncio.timeout(settings().smtp_timeout_s):
                await session.writer.drain()
        except OSError as error:
            self.drop()
            raise Dropped(f"the connection broke: {_reason(error)}") from None

    async def end(self) -> str:
        """Send the end of the content and return the server's answer.

        Raises ServerDown or Refused; or Undecided: the mail may have been accepted.
        """
        assert self._session is not None
        try:
            (reply,) = await _ask(self._session, ".")
        except OSError as error:
            self.drop()
            raise Undecided(f"no answer after the whole mail was sent: {_reason(error)}") from None
        if reply.code >= 400:
            await self._reset(reply, [])
            raise _refused(Refused(*reply, after_data=True))
        return f"{reply.code} {reply.text}"

    def drop(self) -> None:
        """Break the connection off: an open mail is not accepted."""
        if self._session is not None:
            self._session.writer.transport.abort()
            self._session = None

    async def close(self) -> None:
        """End the session and the connection."""
        if self._session is not None:
            with suppress(OSError):
                await _ask(self._session, "QUIT")
            self.drop()

    async def _reset(self, refused: SmtpReply, replies: Sequence[SmtpReply]) -> None:
        """Reset the session after a refusal.

        Drop it where the server is leaving, or waits for a content all the same.
        """
        assert self._session is not None
        waits = any(reply.code == 354 for reply in replies)
        try:
            if refused.code == 421 or waits or (await _ask(self._session, "RSET"))[0].code != 250:
                self.drop()
        except OSError:
            self.drop()

    async def _opened(self) -> SmtpSession:
        if self._session is None:
            try:
                self._session = await _open(self._box)
            except ServerDown as error:
                if error.permanent:
                    raise
                # Once more, at once: a server that restarts or sheds load drops a few.
                self._session = await _open(self._box)
        return self._session


def _refused(refused: Refused) -> Refused | ServerDown:
    """Return what a refusal means.

    One of us who send holds the mailbox, and says nothing of the recipient.
    """
    if refused.verdict.subject == "sender":
        return ServerDown(f"the mail server refuses this mailbox: {refused}", of_mailbox=True)
    return refused


async def _ask(session: SmtpSession, *commands: str) -> list[SmtpReply]:
    """Send commands, all at once where the server has PIPELINING (RFC 2920), and return its answers.

    One by one, they end with the first that is refused.
    """
    replies: list[SmtpReply] = []
    groups = [commands] if session.pipelining else [(command,) for command in commands]
    for group in groups:
        session.writer.write("".join(f"{command}\r\n" for command in group).encode())
        try:
            async with asyncio.timeout(settings().smtp_timeout_s):
                for _ in group:
                    # One by one: those that came count, whatever comes next.
                    replies += [await _reply(session.reader)]
        except OSError:
            session.writer.transport.abort()
            if not _refusal(replies):
                raise
        if _refusal(replies):
            break
    return replies


def _refusal(replies: Sequence[SmtpReply]) -> SmtpReply | None:
    return next((reply for reply in replies if reply.code >= 400), None)


async def _reply(reader: asyncio.StreamReader) -> SmtpReply:
    """Read one answer, of one line or several."""
    texts: list[str] = []
    while len(texts) < _LONGEST_REPLY:
        try:
            line = await reader.readline()
        except ValueError:  # longer than the reader's bound
            break
        if not line.endswith(b"\n"):
            raise ConnectionResetError("the server closed the connection")
        if not _REPLY.match(line):
            text = _printable(line[:100].decode(errors="replace"))
            raise ConnectionAbortedError(f"not a mail server's answer: {text}")
        texts.append(line[4:].decode(errors="replace").strip())
        if line[3:4] != b"-":
            return SmtpReply(int(line[:3]), _printable(" ".join(texts)))
    raise ConnectionAbortedError("an answer without end")


async def _open(box: Mailbox) -> SmtpSession:
    try:
        check_reachable(box.host)
    except ActivityError as error:
        raise ServerDown(str(error), permanent=True) from None
    domain = box.address.rpartition("@")[2]
    try:
        client = aiosmtplib.SMTP(
            hostname=box.host,
            port=box.port,
            local_hostname=domain if domain.isascii() else "localhost",
            timeout=settings().smtp_timeout_s,
            use_tls=box.security == "tls",
            start_tls=False,  # asked for in _greeted, which does not go on without it
            tls_context=None if box.security == "none" else tls(),
        )
        await client.connect()
        try:
            return await _greeted(client, box)
        except BaseException:
            client.close()
            raise
    except aiosmtplib.SMTPAuthenticationError as error:
        raise ServerDown(f"login failed: {_reason(error)}", permanent=error.code >= 500) from None
    except (OSError, ValueError, aiosmtplib.SMTPException) as error:
        raise ServerDown(f"{box.host}:{box.port}: {_reason(error)}") from None


async def _greeted(client: aiosmtplib.SMTP, box: Mailbox) -> SmtpSession:
    """Take the connection over from the library once it is secure and logged in.

    The library cannot stop before the end of a content.
    """
    await _greet(client)
    if box.security == "starttls":
        _require(client, "starttls", "STARTTLS extension not supported by server")
        await client.starttls()
        await _greet(client)
    if box.username:
        _require(client, "auth", "login not supported by server")
        await client.login(box.username, _password(box.username))
    transport = client.transport
    assert isinstance(transport, asyncio.Transport)
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    transport.set_protocol(protocol)
    protocol.connection_made(transport)
    # So that a content that was drained is with the system, and only its end is missing.
    transport.set_write_buffer_limits(high=1, low=0)
    writer = asyncio.StreamWriter(transport, protocol, reader, asyncio.get_running_loop())
    return SmtpSession(
        reader, writer, client.supports_extension("pipelining"), client.supports_extension("smtputf8")
    )


def _require(client: aiosmtplib.SMTP, extension: str, otherwise: str) -> None:
    if not client.supports_extension(extension):
        raise ServerDown(otherwise, permanent=True)


async def _greet(client: aiosmtplib.SMTP) -> None:
    try:
        await client.ehlo()
    except aiosmtplib.SMTPHeloError:
        await client.helo()


@cache
def tls() -> ssl.SSLContext:
    """Return what every connection verifies certificates with.

    Reading the system's certificates takes longer than sending some mails.
    """
    return ssl.create_default_context()


def _password(username: str) -> str:
    try:
        return settings().smtp_passwords[username].get_secret_value()
    except KeyError:
        raise ServerDown(f"ACTIVITY_SMTP_PASSWORDS has no password of {username}", permanent=True) from None


def _reason(error: Exception) -> str:
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return _printable(f"{error.code} {error.message}")
    if isinstance(error, TimeoutError):
        return f"timed out after {settings().smtp_timeout_s:g} s"
    return _printable(str(error) or type(error).__name__)


def _printable(text: str) -> str:
    if text.isprintable() and len(text) <= _LONGEST_TEXT:
        return text.strip()
    spaced = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(spaced.split())[:_LONGEST_TEXT]
