"""What must be true at the moment of a flag and of a bid."""

from keeper.clearing.share import Share
from keeper.liquidation import claim as claims
from keeper.units.constants import WAD
from keeper.units.fixed_point import mul_up
from tests.stateful.auctions import Auction, Bid, Offer
from tests.stateful.epochs import Views
from tests.stateful.protocol import Protocol
from tests.stateful.truth import is_fully_collateralised, is_weak

ROUNDED = 10  # wei


def only_accounts_below_maintenance_margin_are_flagged(p: Protocol, number: int, views: Views) -> None:
    """Invariant 4: in truth, by the exact methodology, at both spots; never one that cannot lose more than
    it has.
    """
    assert is_weak(p, number, views)
    assert not is_fully_collateralised(p, number)


def no_bid_costs_more_than_its_limit(bid: Bid, sale: Share) -> None:
    """Invariant 5: a fraction costs at most that fraction of the limit, or pays at least as much."""
    if bid.limit > 0:
        assert sale.price <= mul_up(bid.limit, sale.fraction)
    else:
        assert sale.payout >= -bid.limit * sale.fraction // WAD


def bids_raise_health_or_lower_the_deficit(p: Protocol, offer: Offer, left: Auction, sale: Share) -> None:
    """Invariant 5: equity over maintenance margin does not fall while there is equity; the deficit falls
    where there is none.
    """
    if sale.fraction == WAD:
        return
    account = p.account(sale.seller)
    worth = claims.worth(account.cash + left.mark, p.predictor.collateral(account).full, p.rate)
    if offer.worth > 0:
        assert (worth + ROUNDED) * offer.auction.maintenance >= offer.worth * (left.maintenance - 1)
    elif not sale.payout:
        assert worth > offer.worth


def the_largest_bid_leaves_initial_margin_and_no_more(
    p: Protocol, offer: Offer, left: Auction, sale: Share
) -> None:
    """Invariant 5: the account ends where the formula puts it."""
    if sale.fraction == WAD or sale.fraction != offer.largest:
        return
    account = p.account(sale.seller)
    equity = account.cash + left.mark + p.predictor.collateral(account).initial
    assert -ROUNDED <= equity - left.initial <= 10**6
