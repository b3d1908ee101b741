"""How far an import has come: kept in a small file beside its own, so that it goes on where it was stopped, and the rows it rejected."""

import hashlib
import os
from pathlib import Path
from typing import Any

import msgspec

_ENDS = (
    1 << 20
)  # bytes of a file's beginning and end that its digest covers, with its size: enough to tell one file from another


class Done(msgspec.Struct, kw_only=True):
    """What has been committed of one file, by what."""

    file: str
    mapping: str
    tenant: str
    rows: int = 0
    said: int = 0
    records: int = 0
    rejected: int = 0
    rejects_bytes: int = 0
    starts: dict[int, tuple[int, int]] = {}


def file_digest(path: Path) -> str:
    """A digest that tells one file from another, and from itself after a change of its size, beginning or end."""
    size = path.stat().st_size
    with path.open("rb") as file:
        digest = hashlib.sha256(f"{size}:".encode() + file.read(_ENDS))
        file.seek(max(0, size - _ENDS))
        digest.update(file.read(_ENDS))
    return digest.hexdigest()


class Progress:
    """The state of one file's import, and its rejects. Both lie in `folder`."""

    def __init__(self, folder: Path, path: Path, mapping: str, tenant: str) -> None:
        self._state = folder / f"{path.name}.import.json"
        self.rejects = folder / f"{path.name}.rejects.ndjson"
        self.done = Done(file=file_digest(path), mapping=mapping, tenant=tenant)
        kept = self._kept()
        if kept is not None and (kept.file, kept.mapping, kept.tenant) == (self.done.file, mapping, tenant):
            self.done = kept
        self.resumed = self.done.rows
        self._cut()

    def _kept(self) -> Done | None:
        try:
            return msgspec.json.decode(self._state.read_bytes(), type=Done)
        except (OSError, msgspec.DecodeError):
            return None

    def _cut(self) -> None:
        """Forget rejects that are older, or were written after the last commit."""
        if self.done.rejects_bytes and self.rejects.exists():
            os.truncate(self.rejects, self.done.rejects_bytes)
        else:
            self.rejects.unlink(missing_ok=True)

    def commit(self, rejects: list[dict[str, Any]]) -> None:
        """Keep what `done` says now, after the transaction that did it was committed."""
        if rejects:
            with os.fdopen(
                os.open(self.rejects, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab"
            ) as file:
                file.write(b"".join(msgspec.json.encode(reject) + b"\n" for reject in rejects))
                self.done.rejects_bytes = file.tell()
        new = self._state.with_suffix(".new")
        new.write_bytes(msgspec.json.encode(self.done))
        new.replace(self._state)

    def finish(self) -> None:
        """Forget where the import is: it is at the end."""
        self._state.unlink(missing_ok=True)
