"""A Merkle tree over a log's hashes, as RFC 6962 and 9162 have it: roots, proofs, and how they are verified.

A leaf is the chain hash of an event, so the tree needs nothing of the append. It is stored in tiles: level 0
are the leaves, an entry of level n is the root of 256 entries of the level below.
"""

from collections.abc import Callable, Sequence
from functools import cache
from hashlib import sha256

from activity.errors import ActivityError

WIDTH_BITS = 8
WIDTH = 1 << WIDTH_BITS

# Returns the entries of a tile: the level, and which tile of it. The last one may hold fewer than 256.
ReadTile = Callable[[int, int], Sequence[bytes]]


class ProofFailed(ActivityError):
    """What was to be proved does not follow from the proof."""


def leaf(data: bytes) -> bytes:
    """Return the hash of a leaf."""
    return sha256(b"\0" + data).digest()


def node(left: bytes, right: bytes) -> bytes:
    """Return the hash of a node."""
    return sha256(b"\1" + left + right).digest()


class Edge:
    """The roots of the full trees that the leaves so far make, the largest first: enough for their root."""

    def __init__(self) -> None:
        self.size = 0
        self._roots: list[bytes] = []

    def add(self, entry: bytes) -> None:
        """Add the hash of the next leaf."""
        self.size += 1
        self._roots.append(entry)
        for _ in range((self.size & -self.size).bit_length() - 1):
            right = self._roots.pop()
            self._roots[-1] = node(self._roots[-1], right)

    def root(self) -> bytes:
        """Return the root of all leaves."""
        if not self._roots:
            return sha256().digest()
        root = self._roots[-1]
        for left in reversed(self._roots[:-1]):
            root = node(left, root)
        return root


def root_of(entries: Sequence[bytes]) -> bytes:
    """Return the root of some leaves' hashes."""
    edge = Edge()
    for entry in entries:
        edge.add(entry)
    return edge.root()


class Tree:
    """A stored tree: what it proves is read from its tiles, each of them once."""

    def __init__(self, read: ReadTile) -> None:
        self._tile = cache(read)

    def root(self, size: int) -> bytes:
        """Return the root of the first `size` leaves."""
        return self._range(0, size) if size else sha256().digest()

    def inclusion(self, index: int, size: int) -> list[bytes]:
        """Return the proof that the leaf `index`, counted from 0, is one of the first `size`."""
        return self._path(index, 0, size)

    def consistency(self, old: int, new: int) -> list[bytes]:
        """Return the proof that the tree of `new` leaves continues the one of `old`."""
        return self._continues(old, 0, new, whole=True) if 0 < old < new else []

    def _range(self, start: int, end: int) -> bytes:
        size = end - start
        if size & (size - 1) == 0:
            return self._full(start, size.bit_length() - 1)
        middle = start + _split(size)
        return node(self._range(start, middle), self._range(middle, end))

    def _full(self, start: int, bits: int) -> bytes:
        """Return the root of a full tree of 2**bits leaves, which lies within a tile of some level."""
        level, within = divmod(bits, WIDTH_BITS)
        first = start >> level * WIDTH_BITS
        offset = first % WIDTH
        entries = self._tile(level, first // WIDTH)[offset : offset + (1 << within)]
        if len(entries) != 1 << within:
            raise ProofFailed(f"the tree lacks hashes of level {level} at {first}: see `activity verify`")
        return root_of(entries)

    def _path(self, index: int, start: int, end: int) -> list[bytes]:
        if end - start == 1:
            return []
        middle = start + _split(end - start)
        if index < middle:
            return [*self._path(index, start, middle), self._range(middle, end)]
        return [*self._path(index, middle, end), self._range(start, middle)]

    def _continues(self, old: int, start: int, end: int, *, whole: bool) -> list[bytes]:
        if old == end:
            return [] if whole else [self._range(start, end)]
        middle = start + _split(end - start)
        if old <= middle:
            return [*self._continues(old, start, middle, whole=whole), self._range(middle, end)]
        return [*self._continues(old, middle, end, whole=False), self._range(start, middle)]


def _split(size: int) -> int:
    """Return the largest power of two that is less than `size`."""
    return 1 << (size - 1).bit_length() - 1


def verify_inclusion(entry: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> None:
    """Raise ProofFailed unless the leaf `index` of the tree of `size` leaves has the hash `entry`."""
    at, last = index, size - 1
    if not 0 <= index < size or len(path) > 64:
        raise ProofFailed(f"there is no leaf {index} in a tree of {size}")
    for part in path:
        if last == 0:
            raise ProofFailed("the path is too long")
        if at & 1 or at == last:
            entry = node(part, entry)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            entry = node(entry, part)
        at, last = at >> 1, last >> 1
    if last != 0 or entry != root:
        raise ProofFailed("the path does not lead to the root")


def verify_consistency(old: int, new: int, old_root: bytes, new_root: bytes, path: Sequence[bytes]) -> None:
    """Raise ProofFailed unless the tree of `new` leaves continues the one of `old`."""
    if not 0 <= old <= new or len(path) > 128:
        raise ProofFailed(f"a tree of {new} leaves continues none of {old}")
    if old in (0, new):
        if path or (old == new and old_root != new_root):
            raise ProofFailed("two trees of one size have different roots")
        return
    steps = [old_root, *path] if old & (old - 1) == 0 else list(path)
    at, last = old - 1, new - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    if not steps:
        raise ProofFailed("the path is empty")
    before = after = steps[0]
    for part in steps[1:]:
        if last == 0:
            raise ProofFailed("the path is too long")
        if at & 1 or at == last:
            before, after = node(part, before), node(part, after)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            after = node(after, part)
        at, last = at >> 1, last >> 1
    if last != 0 or before != old_root or after != new_root:
        raise ProofFailed("the path does not lead from the old root to the new one")
