"""One connection to a mail server, taken apart into the moments that matter: before, at and after the end of a mail's content."""

import re
import smtplib
import socket
import ssl
from typing import NamedTuple

from activity.errors import ActivityError
from activity.settings import settings
from db.sending import Mailbox
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


_BROKEN = (OSError, smtplib.SMTPServerDisconnected, smtplib.SMTPResponseException)


class Connection:
    """A connection for one mail after another; opened when it is first needed, and again after it broke."""

    def __init__(self, box: Mailbox) -> None:
        self._box = box
        self._smtp: smtplib.SMTP | None = None

    def begin(self, mail: Mail) -> None:
        """Send the envelope and the content but for its end. Raises ServerDown, Refused or Dropped: the mail was not taken."""
        smtp = self._opened()
        try:
            options = ["SMTPUTF8", "BODY=8BITMIME"] if mail.smtputf8 else []
            if mail.smtputf8 and not smtp.has_extn("smtputf8"):
                raise Refused(553, "5.6.7 the mail server has no SMTPUTF8, which this address needs")
            smtp.command_encoding = "utf-8" if mail.smtputf8 else "ascii"
            sender = _reply(smtp.mail(mail.sender, options))
            if sender.code >= 500:
                raise ServerDown(f"{mail.sender} may not send: {sender.code} {sender.text}", lasting=True)
            self._expect(sender)
            self._expect(_reply(smtp.rcpt(mail.recipient)))
            self._expect(_reply(smtp.docmd("DATA")))
            smtp.send(re.sub(rb"(?m)^\.", b"..", mail.content))
        except _BROKEN as error:
            self.drop()
            raise Dropped(f"the connection broke: {_said(error)}") from None

    def end(self) -> str:
        """Send the end of the content and return the server's answer. Raises Refused, or Undecided: the mail may have been taken."""
        assert self._smtp is not None
        try:
            self._smtp.send(b".\r\n")
            reply = _reply(self._smtp.getreply())
        except _BROKEN as error:
            self.drop()
            raise Undecided(f"no answer after the whole mail was sent: {_said(error)}") from None
        self._expect(reply)
        return f"{reply.code} {reply.text}"

    def drop(self) -> None:
        """Break the connection off: what was begun is not taken."""
        if self._smtp is not None:
            self._smtp.close()
            self._smtp = None

    def close(self) -> None:
        """Say goodbye."""
        if self._smtp is not None:
            try:
                self._smtp.quit()
            except _BROKEN:
                self._smtp.close()
            self._smtp = None

    def _expect(self, reply: Reply) -> None:
        """Go on after 2xx and 3xx; else put the session back to its start, and raise."""
        if reply.code < 0:
            raise smtplib.SMTPServerDisconnected("the server closed the connection")
        if reply.code < 400:
            return
        if reply.code == 421 or self._smtp is None:
            self.drop()
        else:
            self._reset()
        raise Refused(reply.code, reply.text)

    def _reset(self) -> None:
        try:
            if self._smtp is not None and self._smtp.rset()[0] != 250:
                self.drop()
        except _BROKEN:
            self.drop()

    def _opened(self) -> smtplib.SMTP:
        if self._smtp is None:
            try:
                self._smtp = _open(self._box)
            except ServerDown as error:
                if error.lasting:
                    raise
                self._smtp = _open(self._box)  # one more try at once: a server that restarts or sheds load drops a few
        return self._smtp


def _open(box: Mailbox) -> smtplib.SMTP:
    try:
        smtp = _connect(box)
        try:
            _greet(smtp, box)
        except BaseException:
            smtp.close()
            raise
    except smtplib.SMTPAuthenticationError as error:
        raise ServerDown(f"login failed: {_said(error)}", lasting=error.smtp_code >= 500) from None
    except smtplib.SMTPNotSupportedError as error:
        raise ServerDown(_said(error), lasting=True) from None
    except (OSError, smtplib.SMTPException) as error:
        raise ServerDown(f"{box.host}:{box.port}: {_said(error)}") from None
    return smtp


def _connect(box: Mailbox) -> smtplib.SMTP:
    domain = box.address.rpartition("@")[2]
    ours, timeout = domain if domain.isascii() else "localhost", settings().smtp_timeout_s
    if box.security == "tls":
        return smtplib.SMTP_SSL(box.host, box.port, ours, timeout=timeout, context=ssl.create_default_context())
    return smtplib.SMTP(box.host, box.port, ours, timeout=timeout)


def _greet(smtp: smtplib.SMTP, box: Mailbox) -> None:
    assert smtp.sock is not None
    # The end of the content is a small packet of its own, and must not wait for the acknowledgement of the one before.
    smtp.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if box.security == "starttls":
        smtp.starttls(context=ssl.create_default_context())
    smtp.ehlo_or_helo_if_needed()
    if box.username:
        smtp.login(box.username, _password(box.username))


def _password(username: str) -> str:
    try:
        return settings().smtp_passwords[username].get_secret_value()
    except KeyError:
        raise ServerDown(f"ACTIVITY_SMTP_PASSWORDS has no password of {username}", lasting=True) from None


def _reply(answer: tuple[int, bytes]) -> Reply:
    return Reply(answer[0], _printable(answer[1].decode(errors="replace")))


def _said(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        text = error.smtp_error.decode(errors="replace") if isinstance(error.smtp_error, bytes) else str(error.smtp_error)
        return _printable(f"{error.smtp_code} {text}")
    return _printable(str(error) or type(error).__name__)


def _printable(text: str) -> str:
    return " ".join("".join(character if character.isprintable() else " " for character in text).split())[:500]
