"""What an auction offers now, and how much of it an account can carry. Pure. Cash, margins, shares WAD."""

from dataclasses import dataclass

from keeper.chain.liquidation import Auction, Terms
from keeper.clearing.collateral import Value
from keeper.liquidation import auction_price, claim
from keeper.units.constants import WAD
from keeper.units.fixed_point import mul_up

_CAREFUL = 10**6  # a millionth of what fits is left: roundings of the legs must not undo a bid


@dataclass(frozen=True, slots=True)
class Offer:
    """One auction at one moment.

    Attributes:
        asked: price of the whole; below zero: what the buyer is paid.
        gain: share of the equity that is not asked for, or of the maintenance margin that is paid on top.
        largest: largest fraction on offer.
        reach: largest fraction that can come on offer while the price falls.
        margin: what the buyer's counter U takes over with the whole.
        equity: change of the buyer's equity as the chain credits it, with the whole.
        settled: change of the buyer's settled cash, with the whole.
    """

    account: int
    insolvent: bool
    asked: int
    gain: int
    largest: int
    reach: int
    margin: int
    equity: int
    settled: int


@dataclass(frozen=True, slots=True)
class Capacity:
    """What an account can carry: headroom over its margin bound, multiplier of added margin and how much more
    of that it holds for, settled cash.
    """

    headroom: int
    marginal: int
    room: int
    settled: int


def offer_of(
    account: int,
    auction: Auction,
    terms: Terms,
    liquid: int,
    collateral: Value,
    rate: int,
    now: int,
    frozen_after: int,
) -> Offer:
    """What is on offer at `now`; the clock counts no gap longer than `frozen_after` seconds, and begins anew
    when the account becomes insolvent or solvent again.
    """
    worth = claim.worth(liquid + auction.mark, collateral.full, rate)
    elapsed = auction.elapsed + min(max(0, now - auction.touched), frozen_after)
    elapsed = elapsed if auction.insolvent == (worth <= 0) else 0
    discounted = auction_price.falling(terms.start, terms.floor, elapsed, terms.duration)
    bonus = auction_price.rising(terms.bonus, elapsed, terms.bonus_duration)
    asked = auction_price.asked(worth, auction.maintenance_margin, discounted, bonus)
    deficit = auction.initial_margin - liquid - auction.mark - collateral.initial
    lowest = auction_price.asked(worth, auction.maintenance_margin, terms.floor, bonus)
    paid = max(0, asked)
    credited = min(auction.mark, paid - liquid - collateral.full)
    return Offer(
        account=account,
        insolvent=worth <= 0,
        asked=asked,
        gain=bonus if worth <= 0 else WAD - discounted,
        largest=auction_price.largest(worth, deficit, asked, terms.dust),
        reach=auction_price.largest(worth, deficit, lowest, terms.dust),
        margin=auction.added,
        equity=liquid - asked + collateral.initial + credited,
        settled=liquid - asked + auction.linear,
    )


def fraction_of(offer: Offer, own: Capacity, minimum_bid: int) -> int:
    """The most to ask for that an account can carry; 0 where that is less than a bid must take.

    More is on offer when the bid is mined than now, as the price falls: who asks for no more than is on offer
    now leaves a rest, and the account frozen. The auction house sells no more than is on offer then.
    """
    limits = [offer.reach]
    need = mul_up(offer.margin, own.marginal) - offer.equity
    if need > 0:
        limits.append(_careful(own.headroom, need))
    if offer.margin > 0:
        limits.append(_careful(own.room, offer.margin))
    if offer.settled < 0:
        limits.append(_careful(own.settled, -offer.settled))
    wanted = min(limits)
    return wanted if auction_price.taken(wanted, offer.largest, minimum_bid) else 0


def _careful(have: int, whole: int) -> int:
    """Fraction of `whole` that `have` is enough for."""
    return max(0, have) * (_CAREFUL - 1) * WAD // (whole * _CAREFUL)
