"""What a connection promises whatever a mail server says.

A mail is taken, refused, not taken, or nobody can know; and never sent twice.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from activity.settings import settings
from db.sequences.limits import Mailbox
from producers.sequences.mail import ComposedMail
from producers.sequences.sending.smtp import Connection, Dropped, Refused, ServerDown, Undecided

MAIL = ComposedMail(
    "One",
    "ana@v.example",
    "jo@acme.example",
    b"Subject: One\r\n\r\nHello\r\n.\r\n..\r\nJo\r\n",
    smtputf8=False,
)
POLITE = {
    "": b"220 mail.example\r\n",
    "EHLO": b"250-mail.example\r\n250-PIPELINING\r\n250 SMTPUTF8\r\n",
    "HELO": b"250 mail.example\r\n",
    "MAIL": b"250 2.1.0 sender\r\n",
    "RCPT": b"250 2.1.5 recipient\r\n",
    "DATA": b"354 go on\r\n",
    ".": b"250 2.0.0 taken as 4711\r\n",
    "RSET": b"250 2.0.0\r\n",
    "QUIT": b"221 2.0.0\r\n",
}
CLOSE, SILENT = b"close", b"silent"


class Server:
    """Says to each command what it is told to, and keeps what it heard."""

    def __init__(self, said: dict[str, bytes]) -> None:
        self.said = POLITE | said
        self.serving: set[asyncio.Task[Any]] = set()
        self.heard: list[str] = []
        self.content = b""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if (task := asyncio.current_task()) is not None:
            self.serving.add(task)
        command = ""
        while self._answer(command, writer):
            line = await reader.readline()
            if command == "DATA" and self._goes_on():
                self.content = line
                while line and line != b".\r\n":
                    line = await reader.readline()
                    self.content += line
                command = "."
            else:
                command = line.decode()[:4].strip()
            if not line:
                break
            self.heard.append(command)
        writer.close()

    def _goes_on(self) -> bool:
        """Say whether a content follows: nothing of the envelope was refused."""
        return all(self.said[part][:1] in (b"2", b"3") for part in ("MAIL", "RCPT", "DATA"))

    def _answer(self, command: str, writer: asyncio.StreamWriter) -> bool:
        said = self.said.get(command, b"500 5.5.1 what?\r\n")
        if command == "DATA" and said.startswith(b"354") and not self._goes_on():
            said = b"503 5.5.1 to whom?\r\n"
        if said == CLOSE:
            return False
        if said != SILENT:
            writer.write(said)
        return command != "QUIT"


@asynccontextmanager
async def connected(said: dict[str, bytes]) -> AsyncIterator[tuple[Server, Connection]]:
    server = Server(said)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    box: Any = dict.fromkeys(Mailbox._fields) | {
        "address": "ana@v.example",
        "host": "127.0.0.1",
        "port": port,
        "security": "none",
    }
    connection = Connection(Mailbox(**box))
    try:
        yield server, connection
    finally:
        connection.drop()
        listening.close()
        await asyncio.wait(server.serving)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACTIVITY_SMTP_TIMEOUT_S", "0.3")
    monkeypatch.setenv("ACTIVITY_PUBLIC_URL", "http://127.0.0.1:8000")
    settings.cache_clear()


def run(said: dict[str, bytes], act: Callable[[Connection], Awaitable[Any]]) -> Server:
    async def act_once() -> Server:
        async with connected(said) as (server, connection):
            await act(connection)
            return server

    return asyncio.run(act_once())


async def send(connection: Connection) -> str:
    await connection.begin(MAIL)
    return await connection.end()


ONE_BY_ONE = {"EHLO": b"250 mail.example\r\n"}
OLD = {"EHLO": b"502 5.5.1 what?\r\n"}


@pytest.mark.parametrize("server", [{}, ONE_BY_ONE, OLD], ids=["pipelining", "one by one", "without EHLO"])
def test_a_mail_arrives_as_it_was_written_and_the_answer_comes_back(server: dict[str, bytes]) -> None:
    async def act(connection: Connection) -> None:
        assert await send(connection) == "250 2.0.0 taken as 4711"
        await connection.close()

    heard = run(server, act)
    assert heard.content == b"Subject: One\r\n\r\nHello\r\n..\r\n...\r\nJo\r\n.\r\n"
    assert heard.heard[-5:] == ["MAIL", "RCPT", "DATA", ".", "QUIT"]


@pytest.mark.parametrize("server", [{}, ONE_BY_ONE], ids=["pipelining", "one by one"])
@pytest.mark.parametrize(
    ("at", "said", "raised", "reason"),
    [
        ("MAIL", b"550 5.7.1 not you\r\n", ServerDown, "ana@v.example may not send: 550 5.7.1 not you"),
        ("MAIL", b"451 4.3.0 later\r\n", Refused, "451 4.3.0 later"),
        ("RCPT", b"550-5.1.1 no such\r\n550 user\x1b\r\n", Refused, "550 5.1.1 no such user"),
        ("RCPT", b"450\r\n", Refused, "450"),
        ("DATA", b"554 5.5.1 no\r\n", Refused, "554 5.5.1 no"),
        ("RCPT", CLOSE, Dropped, "the server closed the connection"),
        ("DATA", SILENT, Dropped, "timed out after 0.3 s"),
        ("RCPT", b"hello there\r\n", Dropped, "not a mail server's answer: hello there"),
        ("RCPT", b"250-" + b"x" * 100_000 + b"\r\n", Dropped, "an answer without end"),
        ("RCPT", b"250-x\r\n" * 200, Dropped, "an answer without end"),
        (".", b"550 5.7.1 spam\r\n", Refused, "550 5.7.1 spam"),
        (".", CLOSE, Undecided, "no answer after the whole mail was sent: the server closed the connection"),
        (".", SILENT, Undecided, "no answer after the whole mail was sent: timed out after 0.3 s"),
        (
            ".",
            b"what\r\n",
            Undecided,
            "no answer after the whole mail was sent: not a mail server's answer: what",
        ),
        ("", b"554 5.3.2 closed\r\n", ServerDown, "554 5.3.2 closed"),
        ("", SILENT, ServerDown, "timed out after 0.3 s"),
        ("", b"SSH-2.0-what\r\n", ServerDown, "Malformed"),
    ],
)
def test_what_a_server_says_is_taken_for_what_it_means(
    server: dict[str, bytes], at: str, said: bytes, raised: type[Exception], reason: str
) -> None:
    async def act(connection: Connection) -> None:
        with pytest.raises(raised) as error:
            await send(connection)
        assert reason in str(error.value)

    content = run(server | {at: said}, act).content
    assert (content != b"") == (at == "."), "who refused gets no content"


@pytest.mark.parametrize("server", [{}, ONE_BY_ONE], ids=["pipelining", "one by one"])
@pytest.mark.parametrize("reset", [b"250 2.0.0\r\n", CLOSE, SILENT, b"421 4.3.2 bye\r\n"])
def test_after_a_refusal_the_next_mail_goes_over_a_connection_that_is_at_its_start(
    server: dict[str, bytes], reset: bytes
) -> None:
    async def act() -> None:
        async with connected(server | {"RSET": reset, "RCPT": b"450 4.2.1 later\r\n"}) as (heard, connection):
            with pytest.raises(Refused):
                await connection.begin(MAIL)
            heard.said["RCPT"] = POLITE["RCPT"]
            assert (await send(connection)).startswith("250")
            assert heard.heard.count("EHLO") == (1 if reset.startswith(b"250") else 2)

    asyncio.run(act())


@pytest.mark.parametrize("said", [b"550 5.7.1 not you\r\n", b"451 4.3.0 later\r\n"])
def test_a_refusal_counts_though_the_connection_ends_with_it(said: bytes) -> None:
    async def act(connection: Connection) -> None:
        with pytest.raises((ServerDown, Refused), match=said.decode()[:3]):
            await send(connection)

    run({"MAIL": said, "RCPT": CLOSE}, act)


def test_a_mailbox_is_held_while_its_links_lead_to_this_machine() -> None:
    box: Any = dict.fromkeys(Mailbox._fields) | {
        "address": "ana@v.example",
        "host": "smtp.v.example",
        "port": 25,
    }
    with pytest.raises(ServerDown, match="can unsubscribe: set it to") as held:
        asyncio.run(Connection(Mailbox(**box)).begin(MAIL))
    assert held.value.of_mailbox
