"""Merkle trees over sorted pairs, as `contracts/attestation/merkle.vy`.

Leaves are sorted, pairs are hashed with the smaller node first, an odd node is promoted to the next level.
So a set of leaves has one root, and a proof needs no positions. Levels are arrays of bytes: a million leaves
take a fraction of a second.
"""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
from eth_utils.crypto import keccak

from keeper.attestation.hashing import Bytes, parent_rows

EMPTY_ROOT = keccak(text="plimsoll: empty tree")  # no leaf hashes to it, so nothing is in it
_SIZE = 32


def node(a: bytes, b: bytes) -> bytes:
    """The parent of two nodes, in either order."""
    return keccak(min(a, b) + max(a, b))


def root_from(leaf: bytes, proof: Iterable[bytes]) -> bytes:
    """The root that a proof leads to: siblings from the leaf upwards."""
    current = leaf
    for sibling in proof:
        current = node(current, sibling)
    return current


class Tree:
    """A tree over distinct 32-byte leaves, in any order. ValueError for duplicates."""

    def __init__(self, leaves: Iterable[bytes] | Bytes) -> None:
        """`leaves`: an array of shape (n, 32), or the bytes of each."""
        level = _sorted(_rows(leaves))
        if len(level) > 1 and (level[1:] == level[:-1]).all(axis=1).any():
            raise ValueError("merkle: duplicate leaf")
        self._levels = [level]
        while len(level) > 1:
            level = parent_rows(level)
            self._levels.append(level)

    @property
    def root(self) -> bytes:
        """32 bytes; `EMPTY_ROOT` without leaves."""
        top = self._levels[-1]
        return top[0].tobytes() if len(top) else EMPTY_ROOT

    def proof(self, leaf: bytes) -> tuple[bytes, ...]:
        """Siblings from the leaf upwards. KeyError if the leaf is not in the tree."""
        position = self._position(leaf)
        siblings = []
        for level in self._levels[:-1]:
            sibling = position ^ 1
            if sibling < len(level):
                siblings.append(level[sibling].tobytes())
            position >>= 1
        return tuple(siblings)

    def _position(self, leaf: bytes) -> int:
        """Where a leaf is, by bisection."""
        leaves = self._levels[0]
        low, high = 0, len(leaves)
        while low < high:
            middle = (low + high) // 2
            if leaves[middle].tobytes() < leaf:
                low = middle + 1
            else:
                high = middle
        if low == len(leaves) or leaves[low].tobytes() != leaf:
            raise KeyError(leaf)
        return low


def _rows(leaves: Iterable[bytes] | Bytes) -> Bytes:
    if isinstance(leaves, np.ndarray):
        return leaves
    return np.frombuffer(b"".join(leaves), dtype=np.uint8).reshape(-1, _SIZE)


def _sorted(rows: Bytes) -> Bytes:
    """Ascending byte by byte: by the first eight, and by all where those are alike."""
    words = np.ascontiguousarray(rows).view(">u8").astype(np.uint64)
    order: npt.NDArray[np.intp] = np.argsort(words[:, 0])
    first = words[order, 0]
    if (first[1:] == first[:-1]).any():
        order = np.lexsort(words.T[::-1])
    return np.ascontiguousarray(rows[order])
