"""Events that have lost their content, until an erasure on record accounts for them."""

import re
from array import array
from collections.abc import Iterable, Iterator

import msgspec

from activity.proof.chain import Link

ERASURE = "privacy.bodies_erased"


class _Named(msgspec.Struct):
    seqs: str | None = None


_RANGE = re.compile(r"([0-9]{1,18})(?:-([0-9]{1,18}))?")
_decode = msgspec.json.Decoder(_Named).decode


class Emptied:
    """The numbers of emptied events that no erasure has named yet: some bits for each."""

    def __init__(self) -> None:
        self._blocks: dict[int, int] = {}  # of 1,024 numbers each: a bit set for an emptied one
        self._of_contact: dict[str, array[int]] = {}
        self.unnamed = 0

    def note(self, seq: int, contact: str | None) -> None:
        """Note that an event has lost its content."""
        self._blocks[seq >> 10] = self._blocks.get(seq >> 10, 0) | 1 << (seq & 1023)
        if contact is not None:
            self._of_contact.setdefault(contact, array("q")).append(seq)

    def account(self, erasure: Link, after: int) -> Iterator[int]:
        """Account for what an erasure emptied; yield each number it names that is not an emptied event's.

        Numbers up to `after` were not looked at. An erasure of an older version names no numbers: it stands
        for all of its contact before it, and they are counted as `unnamed`.
        """
        named = _numbers(erasure)
        if named is None:
            found = self._of_contact.pop(erasure.header.contact or "", array("q"))
            self.unnamed += sum(self._take(seq) for seq in found)
        else:
            yield from (seq for seq in named if seq > after and not self._take(seq))

    def _take(self, seq: int) -> bool:
        block = self._blocks.get(seq >> 10, 0)
        if not block >> (seq & 1023) & 1:
            return False
        self._blocks[seq >> 10] = block ^ 1 << (seq & 1023)
        return True

    def left(self) -> Iterator[int]:
        """Yield the numbers that no erasure accounts for."""
        for number, block in sorted(self._blocks.items()):
            if block:
                yield from (number << 10 | bit for bit in range(1024) if block >> bit & 1)


def _numbers(erasure: Link) -> Iterable[int] | None:
    """Return the numbers that an erasure names, all smaller than its own; None where it names none at all."""
    try:
        seqs = _decode(erasure.payload or b"").seqs
    except msgspec.DecodeError:
        return ()
    return None if seqs is None else _within(seqs, erasure.header.seq)


def _within(seqs: str, below: int) -> Iterator[int]:
    """Yield the numbers of ascending ranges; what is none of them was written by hand and names nothing."""
    at = 0
    for first, last in _RANGE.findall(seqs):
        end = min(int(last or first) + 1, below)
        yield from range(max(at, int(first)), end)
        at = max(at, end)


def ranges(seqs: Iterable[int]) -> Iterator[str]:
    """Yield ascending numbers as ranges: `4`, or `7 to 9`."""
    first = last = None
    for seq in seqs:
        if first is None or last is None or seq != last + 1:
            if first is not None:
                yield _range(first, last)
            first = seq
        last = seq
    if first is not None:
        yield _range(first, last)


def _range(first: int, last: int | None) -> str:
    return str(first) if first == last else f"{first} to {last}"
