"""Margin leaves as columns: twelve words of each account in one array, single leaves on demand."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, overload

import numpy as np
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from keeper.attestation.hashing import Bytes, Integers, keccak_rows
from keeper.attestation.typed_data import MarginLeaf

WORDS = 12
_WORD = 32
_MEMBERS = [member.split(" ") for member in MarginLeaf.TYPE[len("MarginLeaf(") : -1].split(",")]
_TYPES, _NAMES = [kind for kind, _ in _MEMBERS], [name for _, name in _MEMBERS]
_TYPEHASH = np.frombuffer(keccak(text=MarginLeaf.TYPE), dtype=np.uint8)
_HASHES = [place for place, kind in enumerate(_TYPES) if kind == "bytes32"]
_SIGNED = [place for place, kind in enumerate(_TYPES) if kind.startswith("int")]


@dataclass(frozen=True, eq=False)
class Leaves(Sequence[MarginLeaf]):
    """Leaves ascending by account.

    Attributes:
        words: the ABI encoding of each leaf, shape (n, 12, 32).
    """

    words: Bytes

    @classmethod
    def of(cls, leaves: "Iterable[MarginLeaf] | Leaves") -> "Leaves":
        """From single leaves. Raises eth_abi's EncodingError if a field is out of range."""
        if isinstance(leaves, Leaves):
            return leaves
        content = b"".join(encode(_TYPES, leaf.values()) for leaf in leaves)
        return cls(np.frombuffer(content, dtype=np.uint8).reshape(-1, WORDS, _WORD))

    @cached_property
    def ids(self) -> Integers:
        """Accounts, shape (n,)."""
        return self.words[:, 0, -8:].copy().view(">i8").reshape(-1).astype(np.int64)

    def find(self, account: int) -> int | None:
        """Position of an account's leaf."""
        position = int(np.searchsorted(self.ids, account))
        return position if position < len(self) and int(self.ids[position]) == account else None

    def book_hashes(self) -> dict[int, bytes]:
        """Book hash behind each leaf, by account."""
        place = _NAMES.index("bookHash")
        rows = self.words[:, place].tobytes()
        return {a: rows[i * _WORD : (i + 1) * _WORD] for i, a in enumerate(self.ids.tolist())}

    def hashes(self) -> Bytes:
        """Merkle leaves: the struct hash of each, hashed once more; shape (n, 32)."""
        encoded = np.empty((len(self), WORDS + 1, _WORD), dtype=np.uint8)
        encoded[:, 0] = _TYPEHASH
        encoded[:, 1:] = self.words
        return keccak_rows(keccak_rows(encoded.reshape(len(self), (WORDS + 1) * _WORD)))

    def __len__(self) -> int:
        return len(self.words)

    @overload
    def __getitem__(self, index: int) -> MarginLeaf: ...

    @overload
    def __getitem__(self, index: slice) -> "Leaves": ...

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return Leaves(self.words[index])
        return MarginLeaf(*(_value(place, word.tobytes()) for place, word in enumerate(self.words[index])))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Leaves):
            return NotImplemented
        return bool(np.array_equal(self.words, other.words))

    def first_difference(self, other: "Leaves") -> int | None:
        """Position of the first leaf that differs, of as many leaves; None when all are the same."""
        differ = np.flatnonzero((self.words != other.words).any(axis=(1, 2)))
        return int(differ[0]) if len(differ) else None


def _value(place: int, word: bytes) -> Any:
    if place in _HASHES:
        return word
    return int.from_bytes(word, "big", signed=place in _SIGNED)
