"""Verify offline a proof of one event, or that a newer checkpoint continues an older one.

Run it as: python verify_proof.py PROOF.json NAME+ID+KEY
       or: python verify_proof.py NEWER.json OLDER.json NAME+ID+KEY

It needs Python's standard library and `cryptography`, and nothing of the program that made the proof. The key
is the log's, as its owner publishes it; a witness's key may be given as well. It exits with 1 where the proof
fails. What is proved is printed: nothing else is.
"""

import base64
import hashlib
import json
import pathlib
import sys

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def sha256(*parts: bytes) -> bytes:
    """Return the hash of the parts, one behind the other."""
    return hashlib.sha256(b"".join(parts)).digest()


def signed_by(text: str, signature_line: str, key: str) -> bool:
    """Return whether the line is this key's signature of the text; raise InvalidSignature for a false one."""
    name, id_, encoded = key.split("+", 2)
    kind, public = base64.b64decode(encoded)[:1], base64.b64decode(encoded)[1:]
    dash, signer, material = signature_line.split(" ")
    signature = base64.b64decode(material, validate=True)
    key_id = sha256(name.encode(), b"\n", kind, public)[:4]
    if dash != "—" or signer != name or signature[:4] != key_id or key_id.hex() != id_:
        return False
    message, signature = text.encode(), signature[4:]
    if kind == b"\x04":  # a witness: the time at which it saw the checkpoint is signed as well
        seen_at, signature = int.from_bytes(signature[:8], "big"), signature[8:]
        message = f"cosignature/v1\ntime {seen_at}\n{text}".encode()
    Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    return True


def root(leaf: bytes, index: int, size: int, path: list[bytes]) -> bytes:
    """Return the root that a path leads to (RFC 9162, section 2.1.3.2)."""
    if size == 1:
        if path:
            raise ValueError("the path is too long")
        return leaf
    half = 1 << (size - 1).bit_length() - 1
    if not path or not 0 <= index < size:
        raise ValueError("the path is too short")
    if index < half:
        return sha256(b"\1", root(leaf, index, half, path[:-1]), path[-1])
    return sha256(b"\1", path[-1], root(leaf, index - half, size - half, path[:-1]))


def roots(old: int, size: int, path: list[bytes], old_root: bytes) -> tuple[bytes, bytes]:
    """Return the roots of the first `old` of `size` leaves and of all that a path leads to.

    The path is the one of RFC 9162, section 2.1.4, for a tree that holds the older as its beginning.
    """
    if old == size and len(path) < 2:
        return (path[0], path[0]) if path else (old_root, old_root)
    half = 1 << (size - 1).bit_length() - 1
    if old == size or not path:
        raise ValueError("the path is of another length")
    if old <= half:
        before, after = roots(old, half, path[:-1], old_root)
        return before, sha256(b"\1", after, path[-1])
    before, after = roots(old - half, size - half, path[:-1], b"")
    return sha256(b"\1", path[-1], before), sha256(b"\1", path[-1], after)


def checkpoint(note: str, keys: list[str]) -> tuple[str, str, int, bytes]:
    """Return who signed a checkpoint, its log's name, how many events it holds, and their root."""
    text, _, signatures = note.rpartition("\n\n")
    text += "\n"
    if not signatures.endswith("\n"):
        raise ValueError("the checkpoint was cut")
    signers = [key for line in signatures.splitlines() for key in keys if signed_by(text, line, key)]
    if not signers:
        raise ValueError("none of these keys has signed the checkpoint")
    origin, size, expected = text.split("\n")[:3]
    return ", ".join(key.split("+")[0] for key in signers), origin, int(size), base64.b64decode(expected)


def verify_continues(newer: dict, older: dict, keys: list[str]) -> list[str]:
    """Return what is proved of two checkpoints, in words; raise where the proof fails."""
    signers, origin, size, expected = checkpoint(newer["note"], keys)
    _, old_origin, old, old_expected = checkpoint(older["note"], keys)
    if origin != old_origin:
        raise ValueError("the two checkpoints are of two logs")
    path = [bytes.fromhex(part) for part in newer["consistency"]]
    if not 0 < old <= size or roots(old, size, path, old_expected) != (old_expected, expected):
        raise ValueError("the newer checkpoint does not continue the older one")
    return [f"{signers} signed that {origin} holds {size} events, of which the first {old} are as they were"]


def verify(proof: dict, keys: list[str]) -> list[str]:
    """Return what is proved, in words; raise ValueError or InvalidSignature where the proof fails."""
    if proof["proof"] != "activity/1":
        raise ValueError("this is a proof of another version")
    signers, origin, size, expected = checkpoint(proof["checkpoint"], keys)
    event = proof["event"]
    if origin.rsplit("/", 1)[-1] != str(event["tenant"]):
        raise ValueError("the event is of another log than the checkpoint")
    header = json.dumps(event, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    hash_ = sha256(bytes.fromhex(proof["previous"]), header.encode())
    path = [bytes.fromhex(part) for part in proof["path"]]
    if root(sha256(b"\0", hash_), event["seq"] - 1, size, path) != expected:
        raise ValueError("the event is not in the log that the checkpoint is of")
    return [
        f"{signers} signed that the log {origin} holds {size} events",
        f"event {event['event_id']} is number {event['seq']} of them, with hash {hash_.hex()}",
        content(proof),
    ]


def content(proof: dict) -> str:
    """Return what is proved of the event's content; raise ValueError where it was changed."""
    if proof["payload"] is None or proof["salt"] is None:
        return "its content is not in this proof, or was erased: nothing is proved of it"
    digest = sha256(bytes.fromhex(proof["salt"]), proof["payload"].encode())
    if digest.hex() != proof["event"]["payload_sha256"]:
        raise ValueError("the content is not the one that was recorded")
    return f"its content is {proof['payload']}"


if __name__ == "__main__":
    files = [word for word in sys.argv[1:] if word.endswith(".json")]
    if len(files) not in (1, 2) or len(sys.argv) < len(files) + 2:
        sys.exit(__doc__)
    try:
        documents = [json.loads(pathlib.Path(file).read_text("utf-8")) for file in files]
        keys = sys.argv[len(files) + 1 :]
        proved = verify(*documents, keys) if len(files) == 1 else verify_continues(*documents, keys)
        sys.stdout.write("\n".join([*proved, ""]))
    except (OSError, ValueError, KeyError, TypeError, RecursionError, InvalidSignature) as error:
        sys.exit(f"not proved: {error or 'a signature is wrong: the checkpoint was changed'}")
