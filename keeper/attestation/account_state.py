"""One account as a snapshot holds it."""

from dataclasses import dataclass

from keeper.markets.instrument import Leg
from keeper.risk.collateral import Collateral
from keeper.units.constants import MAX_LEGS


@dataclass(frozen=True, slots=True)
class AccountState:
    """One account as the chain has it at the snapshot's block.

    Attributes:
        legs: ascending by instrument, distinct; quantities WAD, not zero.
        added_im, added_mark: the running counters U and Q, WAD.
        book_hash: running hash of the book, 32 bytes.
        tier: credit tier as the chain states it; `Methodology.counted_tier` says which one counts.
        collateral: balances above zero, ascending by token.
    """

    account: int
    legs: tuple[Leg, ...]
    added_im: int
    added_mark: int
    book_hash: bytes
    tier: int = 0
    collateral: tuple[Collateral, ...] = ()

    def __post_init__(self) -> None:
        ids = [leg.instrument for leg in self.legs]
        if any(b <= a for a, b in zip(ids, ids[1:], strict=False)):
            raise ValueError(f"snapshot: legs of account {self.account} are not ascending")
        if len(ids) > MAX_LEGS:
            raise ValueError(f"snapshot: account {self.account} has too many legs")
        if any(leg.quantity == 0 for leg in self.legs):
            raise ValueError(f"snapshot: account {self.account} has an empty leg")
        tokens = [c.index for c in self.collateral]
        if any(b <= a for a, b in zip(tokens, tokens[1:], strict=False)):
            raise ValueError(f"snapshot: collateral of account {self.account} is not ascending")
