"""The mail server of `activity dev`.

It takes every mail, sends none on, and keeps them as a Maildir that people and mail programs read.
"""

import os
import sys
from pathlib import Path

from cli.dev.supervisor import Child

PORT = "ACTIVITY_MAIL_SINK_PORT"  # where its port is told to child processes


def child(folder: Path) -> Child:
    """Return the process; its mails are the files in mail/new of the data directory."""
    server = (
        sys.executable,
        "-m",
        "aiosmtpd",
        "--nosetuid",
        "--smtputf8",
        "--listen",
        f"127.0.0.1:{os.environ[PORT]}",
    )
    return Child("mail", (*server, "--class", "aiosmtpd.handlers.Mailbox", str(folder / "mail")))


def seed(tenant: int) -> None:
    """Give the demo workspace a mailbox that sends through it."""
    from db.engine import begin
    from db.sequences.mailboxes import NewMailbox, add

    with begin("producer", tenant) as session:
        add(
            session,
            tenant,
            NewMailbox("dev@example.com", "Development", "127.0.0.1", int(os.environ[PORT]), "none"),
        )
