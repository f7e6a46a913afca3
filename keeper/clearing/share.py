"""A fraction of everything an account holds, sold to another in an auction.

Fractions, cash, quantities and amounts are WAD. What cannot be divided stays with the seller, and a loss is
rounded up: the seller's rest never owes more than it did.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from keeper.clearing import book_hash as hashes
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
        collateral_value: of the collateral moved, at its full price.
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
    collateral_value: int = 0


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
    """The seller afterwards: its counters stay, its record is no longer its book's. A share of the deposits
    leaves with the cash.
    """
    hashed = hashes.fold(seller.book_hash, CHANGE_AUCTION, 0, -share.fraction, 0)
    cash = seller.cash - cash_moved(seller.cash, share.fraction) + share.price
    exempt = mul_down(seller.exempt, WAD - share.fraction)
    after = ratcheted(replace(seller, cash=cash, exempt=exempt, book_hash=hashed), cash)
    return _less(after, seller, share.fraction)


def bought(buyer: Account, seller: Account, share: Share) -> Account:
    """The buyer afterwards; `seller` is the seller before. No gain is credited: the mark counts at most what
    was paid for it.
    """
    cash = cash_moved(seller.cash, share.fraction)
    hashed = hashes.fold(buyer.book_hash, CHANGE_PURCHASE, 0, share.fraction, share.seller)
    after = replace(
        buyer,
        cash=buyer.cash + cash - share.price + share.payout,
        added_im=buyer.added_im + share.initial_margin,
        added_mark=buyer.added_mark + min(share.mark, share.price - cash - share.collateral_value),
        book_hash=hashed,
        record=replace(
            buyer.record,
            linear=buyer.record.linear + share.linear,
            earliest_expiry=min(buyer.record.earliest_expiry, share.earliest),
        ),
    )
    return _more(after, seller, share.fraction)


def _less(after: Account, seller: Account, fraction: int) -> Account:
    positions, collateral = dict(seller.positions), dict(seller.collateral)
    for instrument, part in legs_moved(seller.positions, fraction).items():
        positions = moved(positions, instrument, -part)
    for token, part in collateral_moved(seller.collateral, fraction).items():
        collateral = moved(collateral, token, -part)
    left = replace(after, positions=positions, collateral=collateral)
    return exempting(left, seller.collateral_exempt)


def _more(after: Account, seller: Account, fraction: int) -> Account:
    positions, collateral = dict(after.positions), dict(after.collateral)
    for instrument, part in legs_moved(seller.positions, fraction).items():
        positions = moved(positions, instrument, part)
    for token, part in collateral_moved(seller.collateral, fraction).items():
        collateral = moved(collateral, token, part)
    return replace(after, positions=positions, collateral=collateral)
