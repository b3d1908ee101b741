"""Signed notes and checkpoints in the forms of C2SP, so that other programs read and witness them.

A note is a text, an empty line, and signatures, one a line: `— name base64(key id, signature)`. A
checkpoint is a note whose text says the log's name, how many events it holds, and the root of their tree;
lines of our own follow: the chain's hash there, the epoch and the time.
"""

import re
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Iterable, Sequence
from datetime import datetime
from hashlib import sha256
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from activity.errors import ActivityError

_ED25519, _COSIGNATURE = 1, 4
_PREFIX = "— "
_NAME = re.compile(r"[^\s+]{1,200}")
_AT_MOST = 1_000_000  # characters of a note
_SIGNATURES_AT_MOST = 100


class InvalidNote(ActivityError):
    """It is not a signed note, not a key, or nobody known has signed it."""


def _key_id(name: str, kind: int, public: bytes) -> bytes:
    return sha256(f"{name}\n".encode() + bytes([kind]) + public).digest()[:4]


class Verifier(NamedTuple):
    """Who may sign: a log, or a witness that has seen its checkpoint."""

    name: str
    kind: int
    public: bytes

    @classmethod
    def read(cls, text: str) -> "Verifier":
        """Return the verifier of a line `name+id+key`. Raises InvalidNote."""
        name, _, rest = text.strip().partition("+")
        id_, _, key = rest.partition("+")
        material = _base64(key)
        found = cls(name, material[0] if material else 0, material[1:])
        if not _NAME.fullmatch(name) or found.kind not in (_ED25519, _COSIGNATURE) or len(material) != 33:
            raise InvalidNote(f"{text[:80]!r} is not a verifier key: it is name+id+key, of Ed25519")
        if id_ != _key_id(*found).hex():
            raise InvalidNote(f"the key {name!r} is not of its id {id_[:20]!r}")
        return found

    def __str__(self) -> str:
        """Return the line by which others know this verifier."""
        return f"{self.name}+{_key_id(*self).hex()}+{_text(bytes([self.kind]) + self.public)}"


class Signer(NamedTuple):
    """Who signs, with a key that nobody else has."""

    name: str
    seed: bytes

    @classmethod
    def read(cls, text: str) -> "Signer":
        """Return the signer of `PRIVATE+KEY+name+id+key`. Raises InvalidNote, which does not show the key."""
        parts = text.strip().split("+", 4)
        material = _base64(parts[4]) if len(parts) == 5 else b""
        if parts[:2] != ["PRIVATE", "KEY"] or len(material) != 33 or material[0] != _ED25519:
            raise InvalidNote("it is not a signing key: `activity checkpoint-key NAME` makes one")
        if not _NAME.fullmatch(parts[2]):
            raise InvalidNote("the name of a signing key has no spaces and no +")
        return cls(parts[2], material[1:])

    def secret(self) -> str:
        """Return the line that holds the private key."""
        id_ = _key_id(*self.verifier()).hex()
        return f"PRIVATE+KEY+{self.name}+{id_}+{_text(bytes([_ED25519]) + self.seed)}"

    def verifier(self) -> Verifier:
        """Return who others know this signer as."""
        return Verifier(self.name, _ED25519, self._key().public_key().public_bytes_raw())

    def sign(self, text: str) -> str:
        """Return the signature's line for a text."""
        return f"{_PREFIX}{self.name} {_text(_key_id(*self.verifier()) + self._key().sign(text.encode()))}\n"

    def _key(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self.seed)


def new_signer(name: str) -> Signer:
    """Return a signer with a fresh key. Raises InvalidNote for a name with spaces or +."""
    if not _NAME.fullmatch(name):
        raise InvalidNote(f"{name!r} is not a key's name: no spaces, no +, at most 200 characters")
    return Signer(name, Ed25519PrivateKey.generate().private_bytes_raw())


def signed(text: str, signers: Iterable[Signer]) -> str:
    """Return the note of a text that ends with a line end."""
    return f"{text}\n" + "".join(signer.sign(text) for signer in signers)


class Signature(NamedTuple):
    """Whose signature was verified; a witness says in seconds since 1970 when it saw the note."""

    name: str
    seen_at: int | None


def opened(note: str, verifiers: Sequence[Verifier]) -> tuple[str, list[Signature]]:
    """Return a note's text and who of the verifiers has signed it: at least one.

    Raises InvalidNote, also where a known key's signature is wrong; others' signatures are passed over.
    """
    text, lines = _parts(note)
    known = {(one.name, _key_id(*one)): one for one in verifiers}
    found = [
        _verified(text, known[name, material[:4]], material[4:])
        for name, material in map(_signature, lines)
        if (name, material[:4]) in known
    ]
    if not found:
        raise InvalidNote("no known key has signed the note")
    return text, found


def _parts(note: str) -> tuple[str, list[str]]:
    text, empty, signatures = note.rpartition("\n\n")
    *lines, end = signatures.split("\n")
    bounded = len(note) <= _AT_MOST and 0 < len(lines) <= _SIGNATURES_AT_MOST
    if not bounded or not empty or end:
        raise InvalidNote("it is not a signed note: a text, an empty line and signatures")
    return text + "\n", lines


def _signature(line: str) -> tuple[str, bytes]:
    name, _, signature = line.removeprefix(_PREFIX).partition(" ")
    material = _base64(signature)
    if not line.startswith(_PREFIX) or not _NAME.fullmatch(name) or len(material) < 5:
        raise InvalidNote(f"{line[:80]!r} is not a signature of a note")
    return name, material


def _verified(text: str, verifier: Verifier, signature: bytes) -> Signature:
    seen_at, message = None, text
    if verifier.kind == _COSIGNATURE:
        seen_at, signature = int.from_bytes(signature[:8]), signature[8:]
        message = f"cosignature/v1\ntime {seen_at}\n{text}"
    try:
        Ed25519PublicKey.from_public_bytes(verifier.public).verify(signature, message.encode())
    except InvalidSignature:
        raise InvalidNote(f"the signature of {verifier.name!r} is wrong: the note was changed") from None
    return Signature(verifier.name, seen_at)


class SignedPlace(NamedTuple):
    """What a checkpoint's text says of a log."""

    origin: str
    size: int
    root: bytes
    chain: bytes
    epoch: str
    made_at: datetime

    @classmethod
    def read(cls, text: str) -> "SignedPlace":
        """Return what a checkpoint of ours says. Raises InvalidNote."""
        try:
            origin, size, root, chain, epoch, made_at = text.removesuffix("\n").split("\n")
            return cls(
                origin,
                int(size),
                _base64(root),
                bytes.fromhex(chain.removeprefix("chain ")),
                epoch.removeprefix("epoch "),
                datetime.fromisoformat(made_at.removeprefix("made ")),
            )
        except ValueError:
            raise InvalidNote("the note is no checkpoint of a log") from None

    @classmethod
    def of_note(cls, note: str) -> "SignedPlace":
        """Return what a checkpoint of ours says, whoever has signed it. Raises InvalidNote."""
        return cls.read(note.partition("\n\n")[0])

    def tenant_id(self) -> int:
        """Return the workspace whose log it is: the end of the log's name. Raises InvalidNote."""
        number = self.origin.rpartition("/")[2]
        if not re.fullmatch(r"[0-9]{1,9}", number):
            raise InvalidNote(f"{self.origin[:80]!r} does not name a workspace's log: it ends in /NUMBER")
        return int(number)

    def text(self) -> str:
        """Return the text that is signed."""
        return (
            f"{self.origin}\n{self.size}\n{_text(self.root)}\nchain {self.chain.hex()}\n"
            f"epoch {self.epoch}\nmade {self.made_at.isoformat()}\n"
        )


def _text(data: bytes) -> str:
    return b64encode(data).decode()


def _base64(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except (NotBase64, ValueError):
        raise InvalidNote(f"{text[:20]!r} is not base64") from None
