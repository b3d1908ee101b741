"""One connection to a mail server, taken apart into the moments that matter: before, at and after the end of a mail's content."""

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
from db.sequences.sending import Mailbox
from producers.sequences.mail import Mail


class ServerDown(ActivityError):
    """The mail server takes nothing from this mailbox now. `lasting`: it will not until a person changes something."""

    def __init__(self, reason: str, *, lasting: bool = False) -> None:
        super().__init__(reason)
        self.lasting = lasting


class Refused(ActivityError):
    """The mail server answered 4xx or 5xx to this mail: it did not take it."""

    def __init__(self, code: int, answer: str) -> None:
        super().__init__(f"{code} {answer}")
        self.code = code
        self.status = match[0] if (match := re.search(r"\b[245]\.\d{1,3}\.\d{1,3}\b", answer)) else None

    @property
    def lasting(self) -> bool:
        """Whether trying again is of no use."""
        return self.code >= 500


class Dropped(ActivityError):
    """The connection ended before the content did: the mail was not taken."""


class Undecided(ActivityError):
    """The connection ended after the whole content was sent and before the answer: nobody can know whether the mail was taken."""


class Reply(NamedTuple):
    """What a server answered."""

    code: int
    text: str


class Session(NamedTuple):
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
        self._session: Session | None = None

    async def begin(self, mail: Mail) -> None:
        """Send the envelope and the content but for its end. Raises ServerDown, Refused or Dropped: the mail was not taken."""
        session = await self._opened()
        if mail.smtputf8 and not session.smtputf8:
            raise Refused(553, "5.6.7 the mail server has no SMTPUTF8, which this address needs")
        options = " SMTPUTF8 BODY=8BITMIME" if mail.smtputf8 else ""
        try:
            replies = await _ask(
                session, f"MAIL FROM:<{mail.sender}>{options}", f"RCPT TO:<{mail.recipient}>", "DATA"
            )
            if (refused := _refusal(replies)) is not None:
                await self._put_back(refused, replies)
                if refused is replies[0] and refused.code >= 500:
                    raise ServerDown(
                        f"{mail.sender} may not send: {refused.code} {refused.text}", lasting=True
                    )
                raise Refused(*refused)
            session.writer.write(mail.content.replace(b"\r\n.", b"\r\n.."))
            async with asyncio.timeout(settings().smtp_timeout_s):
                await session.writer.drain()
        except OSError as error:
            self.drop()
            raise Dropped(f"the connection broke: {_said(error)}") from None

    async def end(self) -> str:
        """Send the end of the content and return the server's answer. Raises Refused, or Undecided: the mail may have been taken."""
        assert self._session is not None
        try:
            (reply,) = await _ask(self._session, ".")
        except OSError as error:
            self.drop()
            raise Undecided(f"no answer after the whole mail was sent: {_said(error)}") from None
        if reply.code >= 400:
            await self._put_back(reply, [])
            raise Refused(*reply)
        return f"{reply.code} {reply.text}"

    def drop(self) -> None:
        """Break the connection off: what was begun is not taken."""
        if self._session is not None:
            self._session.writer.transport.abort()
            self._session = None

    async def close(self) -> None:
        """Say goodbye."""
        if self._session is not None:
            with suppress(OSError):
                await _ask(self._session, "QUIT")
            self.drop()

    async def _put_back(self, refused: Reply, replies: Sequence[Reply]) -> None:
        """Put the session back to its start after a refusal; leave it where the server is leaving, or waits for a content all the same."""
        assert self._session is not None
        waits = any(reply.code == 354 for reply in replies)
        try:
            if refused.code == 421 or waits or (await _ask(self._session, "RSET"))[0].code != 250:
                self.drop()
        except OSError:
            self.drop()

    async def _opened(self) -> Session:
        if self._session is None:
            try:
                self._session = await _open(self._box)
            except ServerDown as error:
                if error.lasting:
                    raise
                self._session = await _open(
                    self._box
                )  # one more try at once: a server that restarts or sheds load drops a few
        return self._session


async def _ask(session: Session, *commands: str) -> list[Reply]:
    """Send commands, all at once where the server takes them so (RFC 2920), and return its answers, else up to the first that refuses."""
    replies: list[Reply] = []
    groups = [commands] if session.pipelining else [(command,) for command in commands]
    for group in groups:
        session.writer.write("".join(f"{command}\r\n" for command in group).encode())
        try:
            async with asyncio.timeout(settings().smtp_timeout_s):
                for _ in group:
                    replies.append(await _reply(session.reader))  # noqa: PERF401  # one by one: those that came count, whatever comes next
        except OSError:
            session.writer.transport.abort()
            if not _refusal(replies):
                raise
        if _refusal(replies):
            break
    return replies


def _refusal(replies: Sequence[Reply]) -> Reply | None:
    return next((reply for reply in replies if reply.code >= 400), None)


async def _reply(reader: asyncio.StreamReader) -> Reply:
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
            raise ConnectionAbortedError(
                f"no answer of a mail server: {_printable(line[:100].decode(errors='replace'))}"
            )
        texts.append(line[4:].decode(errors="replace").strip())
        if line[3:4] != b"-":
            return Reply(int(line[:3]), _printable(" ".join(texts)))
    raise ConnectionAbortedError("an answer without end")


async def _open(box: Mailbox) -> Session:
    domain = box.address.rpartition("@")[2]
    try:
        client = aiosmtplib.SMTP(
            hostname=box.host,
            port=box.port,
            local_hostname=domain if domain.isascii() else "localhost",
            timeout=settings().smtp_timeout_s,
            use_tls=box.security == "tls",
            start_tls=False,  # not before it is asked for below, where it is more than a try
            tls_context=None if box.security == "none" else tls(),
        )
        await client.connect()
        try:
            return await _greeted(client, box)
        except BaseException:
            client.close()
            raise
    except aiosmtplib.SMTPAuthenticationError as error:
        raise ServerDown(f"login failed: {_said(error)}", lasting=error.code >= 500) from None
    except (OSError, ValueError, aiosmtplib.SMTPException) as error:
        raise ServerDown(f"{box.host}:{box.port}: {_said(error)}") from None


async def _greeted(client: aiosmtplib.SMTP, box: Mailbox) -> Session:
    """Take the connection over from the library once it is secure and logged in: it does not stop before a content's end."""
    await _greet(client)
    if box.security == "starttls":
        if not client.supports_extension("starttls"):
            raise ServerDown("STARTTLS extension not supported by server", lasting=True)
        await client.starttls()
        await _greet(client)
    if box.username:
        if not client.supports_extension("auth"):
            raise ServerDown("login not supported by server", lasting=True)
        await client.login(box.username, _password(box.username))
    transport = client.transport
    assert isinstance(transport, asyncio.Transport)
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    transport.set_protocol(protocol)
    protocol.connection_made(transport)
    transport.set_write_buffer_limits(
        high=1, low=0
    )  # a content that was drained is with the system, and only its end is missing
    writer = asyncio.StreamWriter(transport, protocol, reader, asyncio.get_running_loop())
    return Session(
        reader, writer, client.supports_extension("pipelining"), client.supports_extension("smtputf8")
    )


async def _greet(client: aiosmtplib.SMTP) -> None:
    try:
        await client.ehlo()
    except aiosmtplib.SMTPHeloError:
        await client.helo()


@cache
def tls() -> ssl.SSLContext:
    """Return what every connection verifies certificates with: reading the system's takes longer than sending some mails."""
    return ssl.create_default_context()


def _password(username: str) -> str:
    try:
        return settings().smtp_passwords[username].get_secret_value()
    except KeyError:
        raise ServerDown(f"ACTIVITY_SMTP_PASSWORDS has no password of {username}", lasting=True) from None


def _said(error: Exception) -> str:
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return _printable(f"{error.code} {error.message}")
    if isinstance(error, TimeoutError):
        return f"timed out after {settings().smtp_timeout_s:g} s"
    return _printable(str(error) or type(error).__name__)


def _printable(text: str) -> str:
    if text.isprintable() and len(text) <= _LONGEST_TEXT:
        return text.strip()
    return " ".join("".join(character if character.isprintable() else " " for character in text).split())[
        :_LONGEST_TEXT
    ]
