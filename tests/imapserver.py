"""A small IMAP server over a real socket: one folder, as much of RFC 3501 as a reader needs."""

import re
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Folder:
    """What the server holds; mails are numbered from 1."""

    def __init__(self, *mails: bytes) -> None:
        self.mails, self.user, self.password, self.validity = list(mails), "ana", "secret", 7
        self.port = 0


class _Session(socketserver.StreamRequestHandler):
    folder: Folder

    def handle(self) -> None:
        self.wfile.write(b"* OK ready\r\n")
        while line := self.rfile.readline():
            tag, _, command = line.decode().strip().partition(" ")
            if not self._answer(tag, command):
                return

    def _answer(self, tag: str, command: str) -> bool:
        verb, folder = command.upper(), self.folder
        if verb.startswith("CAPABILITY"):
            self._say("* CAPABILITY IMAP4rev1", f"{tag} OK done")
        elif verb.startswith("LOGIN"):
            right = [part.strip('"') for part in command.split(" ")[1:]] == [folder.user, folder.password]
            self._say(f"{tag} OK done" if right else f"{tag} NO wrong password")
        elif verb.startswith("EXAMINE"):
            self._say(
                f"* {len(folder.mails)} EXISTS",
                f"* OK [UIDVALIDITY {folder.validity}]",
                f"{tag} OK [READ-ONLY]",
            )
        elif verb.startswith("UID SEARCH"):
            first = re.search(r"UID (\d+):\*", verb)
            uids = [
                uid
                for uid in range(1, len(folder.mails) + 1)
                if first is None or uid >= int(first[1]) or uid == len(folder.mails)
            ]
            self._say("* SEARCH " + " ".join(map(str, uids)), f"{tag} OK done")
        elif match := re.match(r"UID FETCH (\d+) \((.*)\)", verb):
            self._fetch(int(match[1]), match[2])
            self._say(f"{tag} OK done")
        elif verb.startswith("LOGOUT"):
            self._say("* BYE", f"{tag} OK done")
            return False
        else:
            self._say(f"{tag} BAD {verb}")
        return True

    def _fetch(self, uid: int, what: str) -> None:
        raw = self.folder.mails[uid - 1]
        if "SIZE" in what:
            self._say(f"* {uid} FETCH (UID {uid} RFC822.SIZE {len(raw)})")
        else:
            self.wfile.write(f"* {uid} FETCH (UID {uid} BODY[] {{{len(raw)}}}\r\n".encode() + raw + b")\r\n")

    def _say(self, *lines: str) -> None:
        self.wfile.write("".join(f"{line}\r\n" for line in lines).encode())


@contextmanager
def running(folder: Folder) -> Iterator[Folder]:
    """Serve the folder on a free port of 127.0.0.1."""
    handler = type("Session", (_Session,), {"folder": folder})
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        folder.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield folder
        server.shutdown()
