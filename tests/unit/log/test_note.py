"""Signed notes are those that other programs write and read, and only what a known key signed is believed."""

from base64 import b64encode
from datetime import UTC, datetime
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from activity.proof.note import InvalidNote, SignedPlace, Signer, Verifier, new_signer, opened, signed

# From the documentation of golang.org/x/mod/sumdb/note, which defined the form.
SECRET = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
PUBLIC = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
NOTE = f"{TEXT}\n— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"  # noqa: E501  # one line, as it is published


def test_a_note_is_the_one_that_the_forms_own_program_writes() -> None:
    signer = Signer.read(SECRET)
    assert (str(signer.verifier()), signer.secret()) == (PUBLIC, SECRET)
    assert signed(TEXT, [signer]) == NOTE
    assert opened(NOTE, [Verifier.read(PUBLIC)]) == (TEXT, [("PeterNeumann", None)])


def test_a_rotated_key_is_believed_because_the_old_one_signs_beside_it() -> None:
    old, new = new_signer("acme"), new_signer("acme")
    note = signed(TEXT, [new, old])
    for known in ([old], [new], [old, new]):
        assert len(opened(note, [one.verifier() for one in known])[1]) == len(known)
    with pytest.raises(InvalidNote, match="no known key has signed"):
        opened(note, [new_signer("acme").verifier()])


def test_a_witness_says_when_it_saw_a_note() -> None:
    key, name, seen_at = Ed25519PrivateKey.generate(), "witness.example", 1_800_000_000
    public = key.public_key().public_bytes_raw()
    id_ = sha256(f"{name}\n".encode() + b"\x04" + public).digest()[:4]
    signature = key.sign(f"cosignature/v1\ntime {seen_at}\n{TEXT}".encode())
    line = f"— {name} {b64encode(id_ + seen_at.to_bytes(8) + signature).decode()}\n"
    witness = Verifier.read(f"{name}+{id_.hex()}+{b64encode(bytes([4]) + public).decode()}")
    assert opened(NOTE + line, [witness]) == (TEXT, [(name, seen_at)])
    backdated = f"— {name} {b64encode(id_ + bytes(8) + signature).decode()}\n"
    with pytest.raises(InvalidNote, match=r"the signature of 'witness\.example' is wrong"):
        opened(NOTE + backdated, [witness])


@given(st.integers(0, len(NOTE) - 1), st.characters(codec="utf-8"))
def test_a_note_that_was_changed_anywhere_is_refused_or_says_the_same(at: int, character: str) -> None:
    changed = NOTE[:at] + character + NOTE[at + 1 :]
    try:
        text, _ = opened(changed, [Verifier.read(PUBLIC)])
    except InvalidNote:
        return
    assert text == TEXT


@given(st.text())
def test_what_is_no_note_and_no_key_is_refused_in_words(text: str) -> None:
    for read in (Verifier.read, Signer.read, SignedPlace.read):
        with pytest.raises(InvalidNote):
            read(text)
    with pytest.raises(InvalidNote):
        opened(text, [Verifier.read(PUBLIC)])


def test_a_secret_is_not_shown_by_the_error_about_it() -> None:
    with pytest.raises(InvalidNote) as found:
        Signer.read(SECRET[:-4])
    assert "AYEKF" not in str(found.value)


def test_a_checkpoints_text_says_what_it_was_made_of() -> None:
    root, chain = sha256(b"root").digest(), sha256(b"chain").digest()
    place = SignedPlace("log.example/1", 12, root, chain, "an-epoch", datetime(2026, 11, 25, tzinfo=UTC))
    assert SignedPlace.read(place.text()) == place
    assert place.text().split("\n")[:3] == ["log.example/1", "12", b64encode(root).decode()]
