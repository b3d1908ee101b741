"""The tree's roots and proofs are those of RFC 6962, and a verifier takes no others."""

from collections.abc import Sequence
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activity.proof.merkle import (
    WIDTH,
    ProofFailed,
    Tree,
    leaf,
    root_of,
    verify_consistency,
    verify_inclusion,
)

LEAVES = [sha256(b"%d" % n).digest() for n in range(70_000)]
ENTRIES = [leaf(data) for data in LEAVES]


def mth(leaves: Sequence[bytes]) -> bytes:
    """RFC 6962, section 2.1, as it is written there."""
    if len(leaves) < 2:
        return sha256(b"\0" + leaves[0] if leaves else b"").digest()
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return sha256(b"\1" + mth(leaves[:k]) + mth(leaves[k:])).digest()


LEVELS = [ENTRIES]
while len(LEVELS[-1]) >= WIDTH:
    below = LEVELS[-1]
    LEVELS.append([root_of(below[n : n + WIDTH]) for n in range(0, len(below) - WIDTH + 1, WIDTH)])
TREE = Tree(lambda level, n: LEVELS[level][n * WIDTH : (n + 1) * WIDTH])
BORDERS = st.one_of(
    st.integers(1, 70_000), st.sampled_from([1, 2, 3, 255, 256, 257, 511, 512, 65_535, 65_536, 65_537])
)


@pytest.mark.parametrize("size", [*range(40), 255, 256, 257, 1000])
def test_a_root_is_the_one_that_the_standard_defines(size: int) -> None:
    assert root_of(ENTRIES[:size]) == TREE.root(size) == mth(LEAVES[:size])


def test_the_roots_of_certificate_transparencys_own_vectors() -> None:
    leaves = " 00 10 2021 3031 40414243 5051525354555657 606162636465666768696a6b6c6d6e6f"
    root = root_of([leaf(bytes.fromhex(data)) for data in leaves.split(" ")])
    assert root.hex() == "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"


@given(BORDERS, st.data())
def test_each_leaf_is_proved_and_no_other(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    path, root = TREE.inclusion(index, size), TREE.root(size)
    verify_inclusion(ENTRIES[index], index, size, path, root)
    wrong = [
        (ENTRIES[index ^ 1], index, path),
        (ENTRIES[index], index, [*path, root]),
        (ENTRIES[index], size, path),
        *([(ENTRIES[index], index ^ 1, path), (ENTRIES[index], index, path[:-1])] if path else []),
    ]
    for entry, at, steps in wrong:
        with pytest.raises(ProofFailed):
            verify_inclusion(entry, at, size, steps, root)


@given(BORDERS, BORDERS)
def test_a_longer_log_is_proved_to_continue_a_shorter_one_and_no_other(a: int, b: int) -> None:
    old, new = sorted((a, b))
    path = TREE.consistency(old, new)
    verify_consistency(old, new, TREE.root(old), TREE.root(new), path)
    assert len(path) <= 2 * 17
    for old_root, new_root, steps in (
        (leaf(b"x"), TREE.root(new), path),
        (TREE.root(old), leaf(b"x"), path),
        (TREE.root(old), TREE.root(new), [*path, leaf(b"x")]),
    ):
        with pytest.raises(ProofFailed):
            verify_consistency(old, new, old_root, new_root, steps)


def test_a_tree_that_lacks_hashes_proves_nothing() -> None:
    with pytest.raises(ProofFailed, match="the tree lacks hashes of level 1 at 0"):
        Tree(lambda level, n: [] if level else ENTRIES[n * WIDTH : (n + 1) * WIDTH]).root(257)
