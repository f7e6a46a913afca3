"""A fraction of everything an account holds, sold to another in an auction.

Fractions, cash, quantities and amounts are WAD. What cannot be divided stays with the seller, and a loss is
rounded up: the seller's rest never owes more than it did.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from keeper.clearing import book_hash as hashes
from keeper.clearing import record_units
from keeper.clearing.account import Account, exempting, moved, ratcheted
from keeper.units.constants import CHANGE_AUCTION, CHANGE_PURCHASE, PRICE_UNIT, WAD
from keeper.units.fixed_point import mul_down, signed_mul_down


@dataclass(frozen=True, slots=True)
class Share:
    """What is sold and for how much.

    Attributes:
        seller, buyer: accounts.
        fraction: of all cash, collateral and legs, at most 1.
        price: cash from the buyer to the seller.
        payout: cash that the insurance fund and the shortfall pay the buyer.
        initial_margin, mark, linear: the fraction's part of the seller's attested margin, mark and value of
            perps and futures (lower bound).
        earliest: first expiry of the seller's legs, unix seconds.
        collateral: full value of the collateral moved.
    """

    seller: int
    buyer: int
    fraction: int
    price: int
    payout: int
    initial_margin: int
    mark: int
    linear: int
    earliest: int
    collateral: int = 0


def quantity_moved(quantity: int, fraction: int) -> int:
    """Part of a leg, truncated towards zero to a multiple of 1e-8; the whole leg when all is sold."""
    if fraction == WAD:
        return quantity
    part = abs(quantity) * fraction // WAD // PRICE_UNIT * PRICE_UNIT
    return part if quantity > 0 else -part


def cash_moved(cash: int, fraction: int) -> int:
    """Part of the cash, rounded towards minus infinity."""
    return signed_mul_down(cash, fraction)


def legs_moved(positions: Mapping[int, int], fraction: int) -> dict[int, int]:
    """What moves of every leg; legs too small to be divided are not in it."""
    parts = {i: quantity_moved(q, fraction) for i, q in sorted(positions.items())}
    return {i: part for i, part in parts.items() if part}


def collateral_moved(collateral: Mapping[int, int], fraction: int) -> dict[int, int]:
    """What moves of every token, rounded down."""
    parts = {token: amount * fraction // WAD for token, amount in sorted(collateral.items())}
    return {token: part for token, part in parts.items() if part}


def sold(seller: Account, share: Share) -> Account:
    """The seller afterwards, whose funding is cash by now: its counters stay, its record is no longer its
    book's. A share of the deposits leaves with the cash.
    """
    cash = seller.cash - cash_moved(seller.cash, share.fraction) + share.price
    exempt = mul_down(seller.exempt, WAD - share.fraction)
    left = collateral_moved(seller.collateral, share.fraction)
    after = _with_collateral(seller, CHANGE_AUCTION, {token: -part for token, part in left.items()})
    hashed = hashes.fold(after.book_hash, CHANGE_AUCTION, 0, -share.fraction, 0)
    legs = legs_moved(seller.positions, share.fraction)
    positions = _plus(seller.positions, {i: -part for i, part in legs.items()})
    entries = {i: entry for i, entry in seller.entries.items() if i in positions}
    rest = replace(after, cash=cash, exempt=exempt, positions=positions, entries=entries, book_hash=hashed)
    return ratcheted(rest, cash)


def bought(buyer: Account, seller: Account, share: Share) -> Account:
    """The buyer afterwards; `seller` is the seller before. No gain is credited: the mark counts at most what
    was paid for it. What is paid for legs leaves the exempt amount.
    """
    cash = cash_moved(seller.cash, share.fraction)
    positions = _plus(buyer.positions, legs_moved(seller.positions, share.fraction))
    indices = {**seller.entries, **buyer.entries}  # both have just been touched: the same of the same perp
    after = _with_collateral(buyer, CHANGE_PURCHASE, collateral_moved(seller.collateral, share.fraction))
    return replace(
        after,
        cash=buyer.cash + cash - share.price + share.payout,
        exempt=buyer.exempt - min(buyer.exempt, max(0, share.price - cash)),
        positions=positions,
        entries={i: index for i, index in indices.items() if i in positions},
        added_im=buyer.added_im + share.initial_margin,
        added_mark=buyer.added_mark + min(share.mark, share.price - cash - share.collateral),
        book_hash=hashes.fold(after.book_hash, CHANGE_PURCHASE, 0, share.fraction, share.seller),
        record=replace(
            buyer.record,
            linear=buyer.record.linear + record_units.linear_down(share.linear),
            earliest_expiry=min(buyer.record.earliest_expiry, share.earliest),
        ),
    )


def _with_collateral(account: Account, kind: int, parts: Mapping[int, int]) -> Account:
    """Balances after each token moved, one link of the book hash each."""
    hashed = account.book_hash
    for token, part in sorted(parts.items()):
        hashed = hashes.fold(hashed, kind, token, part, 0)
    after = replace(account, collateral=_plus(account.collateral, parts), book_hash=hashed)
    return exempting(after, account.collateral_exempt)


def _plus(quantities: Mapping[int, int], parts: Mapping[int, int]) -> dict[int, int]:
    after = dict(quantities)
    for key, part in parts.items():
        after = moved(after, key, part)
    return after
