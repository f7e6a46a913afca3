"""Claims: what an epoch says of an account, and every change of its book since. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from keeper.attestation.epoch import EpochStatement
from keeper.attestation.typed_data import InstrumentLeaf, MarginLeaf
from keeper.clearing import book_hash as hashes
from keeper.liquidation import claim as claims
from keeper.liquidation.claim import Change, ClaimError
from keeper.store.index_store import AccountRow, ChangeRow
from keeper.units.constants import MAX_CHANGES, WAY_LEAF

MAX_UNITS = 8  # instruments that the changes may touch


@dataclass(frozen=True)
class History:
    """What an epoch says of an account, and what has happened to its book since."""

    leaf: MarginLeaf
    changes: tuple[Change, ...]
    units: tuple[InstrumentLeaf, ...]
    effect: claims.Effect


@dataclass(frozen=True)
class LeafClaim:
    """A claim by leaf. Each path leads from its leaf to the epoch's root."""

    instruments: tuple[int, ...]
    history: History
    path: tuple[bytes, ...]
    epoch: int
    unit_paths: tuple[tuple[bytes, ...], ...]

    @property
    def account(self) -> int:
        return self.history.leaf.account

    def values(self) -> tuple[Any, ...]:
        """What a contract call takes for the struct."""
        history = self.history
        return (
            list(self.instruments),
            WAY_LEAF,
            history.leaf.values(),
            list(self.path),
            self.epoch,
            0,
            (0, []),
            [(x.kind, x.instrument, x.quantity, x.price) for x in history.changes],
            [unit.values() for unit in history.units],
            [list(path) for path in self.unit_paths],
        )


def history_of(statement: EpochStatement, row: AccountRow, links: Sequence[ChangeRow]) -> History:
    """What the epoch still proves of an account as it is now.

    Args:
        links: every change of its book, in order; of a book that is still the epoch's none are needed.

    Raises:
        ClaimError: the chain would refuse it.
        LookupError: the epoch does not know the account, or an instrument that it has traded since.
    """
    leaf = statement.margin(row.account)
    changes = () if leaf.book_hash == row.book_hash else _since(leaf.book_hash, links)
    effect = claims.replay(leaf.book_hash, row.book_hash, changes)
    units = tuple(statement.instrument(instrument) for instrument in sorted(effect.nets))
    if len(changes) > MAX_CHANGES or len(units) > MAX_UNITS:
        raise ClaimError("claim: too many changes")
    return History(leaf, changes, units, effect)


def claim_of(statement: EpochStatement, row: AccountRow, links: Sequence[ChangeRow]) -> LeafClaim:
    """The same, with the paths that prove it. Raises as `history_of`."""
    history = history_of(statement, row, links)
    return LeafClaim(
        instruments=tuple(instrument for instrument, _ in row.positions),
        history=history,
        path=tuple(statement.account_proof(row.account)),
        epoch=statement.epoch.number,
        unit_paths=tuple(tuple(statement.instrument_proof(u.instrument)) for u in history.units),
    )


def _since(then: bytes, links: Sequence[ChangeRow]) -> tuple[Change, ...]:
    """The changes after the book had a hash. ClaimError if it never had it."""
    known = [hashes.EMPTY, *(link.book_hash for link in links)]
    if then not in known:
        raise ClaimError("claim: the account never had the leaf's book")
    later = links[known.index(then) :]
    return tuple(Change(link.kind, link.instrument, link.quantity, link.price) for link in later)
