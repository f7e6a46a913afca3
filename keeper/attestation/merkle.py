"""Merkle trees over sorted pairs, as `contracts/attestation/merkle.vy`.

Leaves are sorted, pairs are hashed with the smaller node first, an odd node is promoted to the next level.
So a set of leaves has one root, and a proof needs no positions.
"""

from collections.abc import Iterable, Sequence

from eth_utils.crypto import keccak

EMPTY_ROOT = keccak(text="plimsoll: empty tree")  # no leaf hashes to it, so nothing is in it


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

    def __init__(self, leaves: Iterable[bytes]) -> None:
        level = sorted(leaves)
        if len(set(level)) != len(level):
            raise ValueError("merkle: duplicate leaf")
        self._index = {leaf: position for position, leaf in enumerate(level)}
        self._levels = [level]
        while len(level) > 1:
            level = _parents(level)
            self._levels.append(level)

    @property
    def root(self) -> bytes:
        """32 bytes; `EMPTY_ROOT` without leaves."""
        top = self._levels[-1]
        return top[0] if top else EMPTY_ROOT

    def proof(self, leaf: bytes) -> tuple[bytes, ...]:
        """Siblings from the leaf upwards. KeyError if the leaf is not in the tree."""
        position = self._index[leaf]
        siblings = []
        for level in self._levels[:-1]:
            sibling = position ^ 1
            if sibling < len(level):
                siblings.append(level[sibling])
            position >>= 1
        return tuple(siblings)


def _parents(level: Sequence[bytes]) -> list[bytes]:
    pairs = [node(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
    return [*pairs, level[-1]] if len(level) % 2 else pairs
