"""How far an import has come, and the rows it rejected.

Both are in small files beside the imported one, so that an interrupted import goes on where it stopped.
"""

import hashlib
import os
from pathlib import Path

import msgspec

# Bytes of a file's beginning and end that its digest covers, with its size: enough to distinguish files.
_ENDS = 1 << 20


class Committed(msgspec.Struct, kw_only=True):
    """What has been committed of one file, by what."""

    file: str
    mapping: str
    tenant: str
    rows: int = 0
    emitted: int = msgspec.field(default=0, name="said")
    records: int = 0
    rejected: int = 0
    rejects_bytes: int = 0
    starts: dict[int, tuple[int, int]] = {}


def file_digest(path: Path) -> str:
    """Return a digest that changes with the file: with its size, beginning or end."""
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
        self.done = Committed(file=file_digest(path), mapping=mapping, tenant=tenant)
        saved = self._saved()
        if saved is not None and (saved.file, saved.mapping, saved.tenant) == (
            self.done.file,
            mapping,
            tenant,
        ):
            self.done = saved
        self.resumed = self.done.rows
        self._cut()

    def _saved(self) -> Committed | None:
        try:
            return msgspec.json.decode(self._state.read_bytes(), type=Committed)
        except (OSError, msgspec.DecodeError):
            return None

    def _cut(self) -> None:
        """Remove rejects that are older, or were written after the last commit."""
        if self.done.rejects_bytes and self.rejects.exists():
            os.truncate(self.rejects, self.done.rejects_bytes)
        else:
            self.rejects.unlink(missing_ok=True)

    def commit(self, rejects: list[dict[str, object]]) -> None:
        """Save `done`, after the transaction that it counts was committed."""
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
        """Remove the state: the import is at its end."""
        self._state.unlink(missing_ok=True)
