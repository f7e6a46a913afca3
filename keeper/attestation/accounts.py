"""Accounts of a snapshot as columns: what a hundred thousand of them are hashed and margined from.

Single accounts are made on demand. Nothing is changed in place: `changed` gives a new set of columns, and
keeps the hashes of the accounts that stay as they are.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, field, replace
from functools import cached_property
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from keeper.attestation.account_state import AccountState
from keeper.attestation.compiled_sections import SECTION_WORDS, encode_sections
from keeper.attestation.hashing import Bytes, Integers, keccak_ragged, keccak_rows
from keeper.markets.instrument import Leg
from keeper.risk.batch_blocks import in_blocks
from keeper.risk.collateral import Collateral
from keeper.units.constants import MAX_QUANTITY, PRICE_UNIT

_WORD = 32
Columns = npt.NDArray[np.int32]
# account, legs, addedIM, addedMark, bookHash, tier, collateral
Entry = tuple[int, Sequence[tuple[int, int]], int, int, bytes, int, tuple[Collateral, ...]]


@dataclass(frozen=True, eq=False)
class Accounts(Sequence[AccountState]):
    """Accounts ascending by id; legs of account a are entries indptr[a] to indptr[a + 1].

    Attributes:
        ids: shape (n,).
        indptr: shape (n + 1,).
        instruments: packed ids; some may be held by nobody.
        columns: of each leg its instrument, as an index; ascending by packed id inside an account.
        quantities: of each leg, 1e-8 coins.
        heads: words of addedIM, addedMark and bookHash, shape (n, 3, 32).
        tiers: credit tiers as the chain states them.
        collateral: balances by account id, of those who hold any.
    """

    ids: Integers
    indptr: Integers
    instruments: tuple[int, ...]
    columns: Columns
    quantities: Integers
    heads: Bytes
    tiers: Integers
    collateral: Mapping[int, tuple[Collateral, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, states: "Iterable[AccountState] | Accounts") -> "Accounts":
        """From single accounts.

        Raises:
            ValueError: accounts are not ascending, or a quantity is no multiple of 1e-8 coins or too large.
        """
        if isinstance(states, Accounts):
            return states
        return cls.build(
            [
                (s.account, _pairs(s.legs), s.added_im, s.added_mark, s.book_hash, s.tier, s.collateral)
                for s in states
            ]
        )

    @classmethod
    def build(cls, entries: Sequence[Entry]) -> "Accounts":
        """The same from the fields of `AccountState`, legs as pairs of instrument and quantity (WAD)."""
        ids = [entry[0] for entry in entries]
        if any(b <= a for a, b in zip(ids, ids[1:], strict=False)):
            raise ValueError("snapshot: accounts are not ascending")
        pairs = [pair for entry in entries for pair in entry[1]]
        instruments = tuple(sorted({instrument for instrument, _ in pairs}))
        place = {instrument: i for i, instrument in enumerate(instruments)}
        indptr = np.zeros(len(entries) + 1, dtype=np.int64)
        indptr[1:] = np.cumsum([len(entry[1]) for entry in entries])
        heads = b"".join(_head(*entry[2:5]) for entry in entries)
        return cls(
            ids=np.array(ids, dtype=np.int64),
            indptr=indptr,
            instruments=instruments,
            columns=np.array([place[instrument] for instrument, _ in pairs], dtype=np.int32),
            quantities=np.array([_units(quantity) for _, quantity in pairs], dtype=np.int64),
            heads=np.frombuffer(heads, dtype=np.uint8).reshape(-1, 3, _WORD),
            tiers=np.array([entry[5] for entry in entries], dtype=np.int64),
            collateral={entry[0]: entry[6] for entry in entries if entry[6]},
        )

    def changed(self, fresh: "Accounts", without: Iterable[int] = ()) -> "Accounts":
        """With some accounts replaced or added, and some left out."""
        gone = np.union1d(fresh.ids, np.array(sorted(without), dtype=np.int64))
        kept = np.flatnonzero(~np.isin(self.ids, gone))
        if not len(fresh) and len(kept) == len(self):
            return self
        both = _joined(self, fresh)
        rows = np.concatenate([kept, np.arange(len(fresh)) + len(self)])
        return both.take(rows[np.argsort(both.ids[rows], kind="stable")])

    def take(self, rows: Integers) -> "Accounts":
        """The accounts at some positions, in that order."""
        sizes = np.diff(self.indptr)[rows]
        indptr = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        entries = np.arange(indptr[-1]) + np.repeat(self.indptr[rows] - indptr[:-1], sizes)
        ids = self.ids[rows]
        wanted = set(ids.tolist()) if self.collateral else set()
        found = Accounts(
            ids=ids,
            indptr=indptr,
            instruments=self.instruments,
            columns=self.columns[entries],
            quantities=self.quantities[entries],
            heads=self.heads[rows],
            tiers=self.tiers[rows],
            collateral={account: held for account, held in self.collateral.items() if account in wanted},
        )
        if "section_leaves" in self.__dict__:
            found.__dict__["section_leaves"] = self.section_leaves[rows]
        return found

    def bare(self, first: int, last: int) -> "Accounts":
        """Those from position `first` to before `last`, with what their figures need and no more."""
        found = replace(self, heads=self.heads[:, :0]).take(np.arange(first, last))
        return (
            replace(found, heads=np.zeros((len(found), 3, _WORD), dtype=np.uint8))
            if found.collateral
            else found
        )

    def find(self, account: int) -> int | None:
        """Position of an account."""
        position = int(np.searchsorted(self.ids, account))
        return position if position < len(self) and int(self.ids[position]) == account else None

    @cached_property
    def held(self) -> tuple[int, ...]:
        """Packed instruments that somebody holds, ascending."""
        used = np.unique(self.columns).tolist()
        return tuple(sorted(self.instruments[i] for i in used))

    def holders(self, instruments: Iterable[int]) -> Integers:
        """Positions of the accounts that hold any of these instruments, ascending."""
        asked = set(instruments)
        wanted = np.array([i in asked for i in self.instruments], dtype=np.bool_)
        if not wanted.any():
            return np.zeros(0, dtype=np.int64)
        entries = np.flatnonzero(wanted[self.columns])
        return np.asarray(np.unique(np.searchsorted(self.indptr, entries, side="right") - 1))

    @cached_property
    def section_leaves(self) -> Bytes:
        """Merkle leaf of each account in the snapshot, shape (n, 32)."""
        return keccak_rows(self._sections())

    def _sections(self) -> Bytes:
        """Hash of each account's ABI encoding, shape (n, 32)."""
        extra = {account: _collateral_words(held) for account, held in self.collateral.items()}
        words = np.zeros(len(self), dtype=np.int64)
        for account, content in extra.items():
            words[self.find(account)] = len(content) // _WORD
        content = b"".join(extra[account] for account in sorted(extra))
        sizes = SECTION_WORDS + np.diff(self.indptr) + words
        indptr = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        out = np.zeros((int(indptr[-1]), _WORD), dtype=np.uint8)
        packed = b"".join(i.to_bytes(_WORD // 2, "big") for i in self.instruments)
        instruments = np.frombuffer(packed, dtype=np.uint8).reshape(-1, _WORD // 2)
        collateral = np.frombuffer(content, dtype=np.uint8).reshape(-1, _WORD)
        starts = np.concatenate([[0], np.cumsum(words)]).astype(np.int64)
        legs = self.indptr, self.columns, self.quantities, instruments

        def block(span: tuple[int, int]) -> None:
            encode_sections(self.ids, legs, self.heads, self.tiers, (starts, collateral), indptr, span, out)

        if len(self):
            in_blocks(block, len(self), None)
        return keccak_ragged(out.reshape(-1), indptr * _WORD)

    def __len__(self) -> int:
        return len(self.ids)

    @overload
    def __getitem__(self, index: int) -> AccountState: ...

    @overload
    def __getitem__(self, index: slice) -> "Accounts": ...

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return self.take(np.arange(len(self))[index])
        position = range(len(self))[index]
        entries = slice(self.indptr[position], self.indptr[position + 1])
        pairs = zip(self.columns[entries].tolist(), self.quantities[entries].tolist(), strict=True)
        account = int(self.ids[position])
        added_im, added_mark, book_hash = (self.heads[position, i].tobytes() for i in range(3))
        return AccountState(
            account,
            tuple(Leg(self.instruments[column], quantity * PRICE_UNIT) for column, quantity in pairs),
            int.from_bytes(added_im, "big"),
            int.from_bytes(added_mark, "big", signed=True),
            book_hash,
            int(self.tiers[position]),
            self.collateral.get(account, ()),
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Accounts):
            return NotImplemented
        return len(self) == len(other) and self.first_difference(other) is None

    def first_difference(self, other: "Accounts") -> int | None:
        """Position of the first account that differs, of as many; None when all are the same."""
        differ = np.flatnonzero((self.section_leaves != other.section_leaves).any(axis=1))
        return int(differ[0]) if len(differ) else None


def _pairs(legs: Sequence[Leg]) -> list[tuple[int, int]]:
    return [(leg.instrument, leg.quantity) for leg in legs]


def _units(quantity: int) -> int:
    """1e-8 coins."""
    units, rest = divmod(quantity, PRICE_UNIT)
    if rest or abs(quantity) > MAX_QUANTITY:
        raise ValueError(f"snapshot: {quantity} is no quantity of the chain")
    return units


def _head(added_im: int, added_mark: int, book_hash: bytes) -> bytes:
    """Raises OverflowError for what does not fit."""
    return added_im.to_bytes(_WORD, "big") + added_mark.to_bytes(_WORD, "big", signed=True) + book_hash


def _collateral_words(held: Sequence[Collateral]) -> bytes:
    return b"".join(value.to_bytes(_WORD, "big") for token in held for value in astuple(token))


def _joined(one: Accounts, other: Accounts) -> Accounts:
    """Both, one after the other: not ascending, and those of the other twice where both have them."""
    place = {instrument: i for i, instrument in enumerate(one.instruments)}
    new = [instrument for instrument in other.instruments if instrument not in place]
    place |= {instrument: len(place) + i for i, instrument in enumerate(new)}
    replaced = set(other.ids.tolist())
    staying = {account: held for account, held in one.collateral.items() if account not in replaced}
    moved = np.array([place[i] for i in other.instruments], dtype=np.int32)
    found = Accounts(
        ids=np.concatenate([one.ids, other.ids]),
        indptr=np.concatenate([one.indptr, other.indptr[1:] + one.indptr[-1]]),
        instruments=(*one.instruments, *new),
        columns=np.concatenate([one.columns, moved[other.columns]]) if len(moved) else one.columns,
        quantities=np.concatenate([one.quantities, other.quantities]),
        heads=np.concatenate([one.heads, other.heads]),
        tiers=np.concatenate([one.tiers, other.tiers]),
        collateral=staying | dict(other.collateral),
    )
    if "section_leaves" in one.__dict__:
        found.__dict__["section_leaves"] = np.concatenate([one.section_leaves, other.section_leaves])
    return found
