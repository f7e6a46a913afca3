"""Reads of the contracts that liquidate, at one block. Cash, margins and shares WAD; times unix seconds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from keeper.chain.contracts import (
    AUCTION_HOUSE,
    CLEARINGHOUSE,
    COLLATERAL_SALE,
    VALUER,
    VAULT,
    Call,
    Protocol,
)
from keeper.clearing.account import NEVER
from keeper.markets.instrument import word
from keeper.units.constants import SCOPE_TRADE

_NO_BOUND = -(2**255)


@dataclass(frozen=True, slots=True)
class Terms:
    """Of all auctions, fields as in `IAuctionHouse.vyi`; `buffer` of `ICollateralSale.vyi`. Durations in
    seconds.
    """

    start: int
    floor: int
    duration: int
    bonus: int
    bonus_duration: int
    minimum_bid: int
    dust: int
    buffer: int
    grace: int


@dataclass(frozen=True, slots=True)
class Auction:
    """One open auction. Margins, mark and linear value are of what is left."""

    epoch: int
    elapsed: int
    touched: int
    insolvent: bool
    initial_margin: int
    maintenance_margin: int
    mark: int
    linear: int
    earliest: int
    added: int


@dataclass(frozen=True, slots=True)
class Valuation:
    """Bounds of a book: least payoff at expiry (None: no bound), lower and upper bound of perps and futures,
    first expiry, and whether a leg has expired.
    """

    least: int | None = 0
    linear: int = 0
    linear_high: int = 0
    earliest: int = NEVER
    expired: bool = False


class LiquidationReader:
    """Typed reads; `at` is a block hash (0x text)."""

    def __init__(self, protocol: Protocol) -> None:
        self._protocol = protocol

    def terms(self, at: str) -> Terms:
        """Terms of all auctions and conversions."""
        t, sale = self._protocol.structs(
            at, [Call(name, "terms") for name in (AUCTION_HOUSE, COLLATERAL_SALE)]
        )
        return Terms(
            start=t["start"],
            floor=t["floor"],
            duration=t["duration"],
            bonus=t["bonus"],
            bonus_duration=t["bonusDuration"],
            minimum_bid=t["minimumBid"],
            dust=t["dust"],
            buffer=sale["buffer"],
            grace=t["grace"],
        )

    def auctions(self, at: str, accounts: Sequence[int]) -> dict[int, Auction]:
        """Auctions of the accounts that have one."""
        found = self._protocol.structs(at, [Call(AUCTION_HOUSE, "auction", (a,)) for a in accounts])
        return {a: _auction(f) for a, f in zip(accounts, found, strict=True) if f["epoch"]}

    def rate(self, at: str) -> int:
        """What one unit of cash is worth in tokens."""
        return int(self._protocol.read(at, VAULT, "rate"))

    def liquid(self, at: str, accounts: Sequence[int]) -> dict[int, int]:
        """Cash, and funding accrued to the block's time, by account."""
        calls = [Call(CLEARINGHOUSE, "standing", (a, False)) for a in accounts]
        found = self._protocol.structs(at, calls)
        return {a: int(f["liquid"]) for a, f in zip(accounts, found, strict=True)}

    def valuations(self, at: str, books: Sequence[Sequence[tuple[int, int]]]) -> list[Valuation]:
        """Bounds of books: (instrument, quantity), ascending."""
        words = [[word(instrument, quantity) for instrument, quantity in book] for book in books]
        found = self._protocol.structs(at, [Call(VALUER, "value", (book,)) for book in words])
        return [_valuation(f) for f in found]

    def may_act(self, at: str, account: int, actor: str) -> bool:
        """Whether an address owns an account or may trade for it."""
        return bool(self._protocol.read(at, CLEARINGHOUSE, "may_act", account, actor, SCOPE_TRADE))


def _auction(fields: dict[str, Any]) -> Auction:
    return Auction(
        epoch=fields["epoch"],
        elapsed=fields["elapsed"],
        touched=fields["touched"],
        insolvent=fields["insolvent"],
        initial_margin=fields["initialMargin"],
        maintenance_margin=fields["maintenanceMargin"],
        mark=fields["mark"],
        linear=fields["linear"],
        earliest=fields["earliest"],
        added=fields["added"],
    )


def _valuation(fields: dict[str, Any]) -> Valuation:
    least = fields["floor"]
    return Valuation(
        least=None if least == _NO_BOUND else least,
        linear=fields["linear"],
        linear_high=fields["linearHigh"],
        earliest=fields["earliest"],
        expired=fields["expired"],
    )
