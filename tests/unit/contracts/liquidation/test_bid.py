"""Bids on solvent accounts: how much is sold, at what price, to whom, and what is refused."""

import boa
import pytest

from keeper.liquidation import auction_price as twin
from keeper.units import constants as c
from keeper.units.fixed_point import mul_up
from tests.support.auctions import CALL, EXPIRY, HEADROOM, MARK, PUT, SPOT, TERMS, WAD, call, events, unit

LOW = {"initial_margin": 2_500 * WAD, "maintenance_margin": 2_100 * WAD}
EQUITY, DEFICIT = 2_000 * WAD, 500 * WAD
NEVER = 2**40 - 1  # a grant without end
START, FLOOR = TERMS[0], TERMS[1]
DUST = WAD // 10**6  # legs divide to eight decimals


@pytest.fixture
def auction(fallen):
    """The seller has just been flagged."""
    fallen.hall.flag(fallen.seller)
    return fallen


def later(auction, seconds, **margins):
    """A new epoch after so long, the auction on it, and the buyer's record too."""
    hall = auction.hall
    stated = hall.margin(auction.seller, **(LOW | margins))
    hall.post(stated, seconds=seconds)
    hall.update(auction.seller)
    hall.refresh(auction.buyer, auction.other)


def fraction_at(discounted):
    """Largest fraction of the fixture's account."""
    return twin.largest(EQUITY, DEFICIT, twin.asked(EQUITY, 0, discounted, 0), TERMS[6])


def equity(hall, account):
    """Cash, and calls at 100."""
    return hall.cash(account) + hall.position(account, CALL) * MARK // WAD


# How much and for how much


def test_bid__for_everything__sells_what_restores_initial_margin(auction):
    hall, seller, buyer = auction.hall, auction.seller, auction.buyer
    owned = equity(hall, buyer)
    event = hall.bid(seller, buyer)
    (ended,) = events(hall.on.house, "AuctionEnded")

    assert event.fraction == fraction_at(START)
    assert event.price == mul_up(mul_up(EQUITY, START), event.fraction)
    assert (event.solvent, event.discounted, event.payout) == (True, START, 0)
    assert ended.reason == hall.on.house.END_RESTORED()
    assert not hall.state(seller).frozen
    assert hall.auction(seller).epoch == 0

    left = mul_up(2_500 * WAD, WAD - event.fraction)
    assert equity(hall, seller) == pytest.approx(left, abs=DUST)
    assert equity(hall, buyer) - owned == pytest.approx(
        (EQUITY - mul_up(EQUITY, START)) * event.fraction // WAD, abs=DUST
    )
    assert hall.position(seller, CALL) + hall.position(buyer, CALL) == -10 * WAD


def test_bid__any__moves_cash_and_legs_and_makes_none(auction):
    hall, accounts = auction.hall, (auction.seller, auction.buyer)
    cash = sum(hall.cash(account) for account in accounts)
    hall.bid(*accounts, WAD // 8)
    assert sum(hall.cash(account) for account in accounts) == cash
    assert sum(hall.position(account, CALL) for account in accounts) == -10 * WAD


def test_bid__buyers_counters__take_over_margin_and_no_gain(auction):
    hall, seller, buyer = auction.hall, auction.seller, auction.buyer
    event = hall.bid(seller, buyer)
    state = hall.state(buyer)
    assert state.addedIM == mul_up(2_500 * WAD, event.fraction)
    cash = 3_000 * WAD * event.fraction // WAD
    assert state.addedMark == event.price - cash  # below the mark of the legs by the discount
    assert state.addedMark < -10 * MARK * event.fraction // WAD


@pytest.mark.parametrize("seconds", [0, 90, 450, 600])
def test_bid__time_passes__price_falls_on_a_line(auction, seconds):
    if seconds:
        later(auction, seconds)
    event = auction.hall.bid(auction.seller, auction.buyer)
    assert event.discounted == twin.falling(START, FLOOR, seconds, 900)
    assert event.fraction == fraction_at(event.discounted)


def test_bid__long_silence__counts_at_most_until_the_clock_freezes(auction):
    later(auction, 7_200)
    assert auction.hall.auction(auction.seller).elapsed == 600
    later(auction, 299)
    assert auction.hall.auction(auction.seller).elapsed == 899
    later(auction, 60)
    event = auction.hall.bid(auction.seller, auction.buyer)
    assert event.discounted == FLOOR


def test_bid__part__scales_the_auction_and_leaves_the_rest(auction):
    hall, seller, buyer = auction.hall, auction.seller, auction.buyer
    part = fraction_at(START) // 2
    event = hall.bid(seller, buyer, part)
    assert event.fraction == part
    assert not events(hall.on.house, "AuctionEnded")
    rest = hall.auction(seller)
    assert hall.state(seller).frozen
    assert rest.initialMargin == mul_up(2_500 * WAD, WAD - part)
    assert rest.maintenanceMargin == mul_up(2_100 * WAD, WAD - part)
    assert rest.added == mul_up(2_500 * WAD, WAD - part)
    assert rest.mark == twin.signed_rest_down(-10 * MARK, part)
    # while solvent every bid raises equity over maintenance margin
    assert equity(hall, seller) * 2_100 * WAD > EQUITY * rest.maintenanceMargin


# Races


def test_race__first_takes_part__second_finds_less_and_ends_it(auction):
    hall, seller = auction.hall, auction.seller
    hall.refresh(auction.other)
    whole = fraction_at(START)
    first = hall.bid(seller, auction.buyer, whole // 2)
    second = hall.bid(seller, auction.other, whole)
    assert second.fraction < whole
    sold = WAD - (WAD - first.fraction) * (WAD - second.fraction) // WAD
    # hardly more than one would have sold: the cash of the first bid is in the second share
    assert whole <= sold == pytest.approx(whole, rel=2e-3)
    assert equity(hall, seller) == pytest.approx(mul_up(2_500 * WAD, WAD - sold), abs=3 * DUST)
    (ended,) = events(hall.on.house, "AuctionEnded")
    assert ended.reason == hall.on.house.END_RESTORED()


def test_race__first_takes_all__second_finds_none(auction):
    hall, seller = auction.hall, auction.seller
    hall.refresh(auction.other)
    hall.bid(seller, auction.buyer)
    with boa.reverts("auction: none"):
        hall.bid(seller, auction.other)


def test_race__price_of_the_whole_beyond_the_limit__refused(auction):
    hall, seller, buyer = auction.hall, auction.seller, auction.buyer
    asked = mul_up(EQUITY, START)
    with boa.reverts("auction: price beyond limit"):
        hall.bid(seller, buyer, limit=asked - 1)
    event = hall.bid(seller, buyer, limit=asked)
    assert event.price <= mul_up(asked, event.fraction)


# Everything


def test_bid__account_of_dust__is_sold_whole(hall):
    seller, buyer = hall.open("seller", 50), hall.open("buyer", 100_000)
    hall.hold(seller, buyer, {CALL: -WAD})
    hall.post(hall.margin(seller, initial_margin=60 * WAD, maintenance_margin=55 * WAD))
    hall.refresh(buyer)
    hall.flag(seller)
    event = hall.bid(seller, buyer, WAD)
    (ended,) = events(hall.on.house, "AuctionEnded")
    assert (event.fraction, event.price, ended.reason) == (WAD, 49 * WAD, hall.on.house.END_SOLD())
    assert (hall.state(seller).legCount, hall.cash(seller)) == (0, 49 * WAD)
    assert not hall.state(seller).frozen


def test_bid__rest_would_be_dust__is_sold_whole(fallen):
    hall, seller = fallen.hall, fallen.seller
    # all but 3 % would restore it: less than 100 of 2,000
    hall.post(hall.margin(seller, initial_margin=70_000 * WAD, maintenance_margin=2_100 * WAD))
    hall.refresh(fallen.buyer)
    hall.flag(seller)
    assert hall.bid(seller, fallen.buyer).fraction == WAD
    assert hall.book(seller) == []


def test_bid__one_person_on_both_sides__gains_nothing(auction):
    """Whoever buys from himself pays himself: together the accounts are worth what they were."""
    hall, seller, buyer = auction.hall, auction.seller, auction.buyer
    later(auction, 600)
    worth = equity(hall, seller) + equity(hall, buyer)
    hall.bid(seller, buyer, WAD // 5)
    hall.bid(seller, buyer)
    assert equity(hall, seller) + equity(hall, buyer) == worth


# Recovery


def test_bid__after_a_deposit_that_restores__refused_until_an_update_ends_the_auction(auction):
    hall, seller = auction.hall, auction.seller
    hall.deposit(seller, 500)
    with boa.reverts("auction: recovered"):
        hall.bid(seller, auction.buyer)
    hall.update(seller)
    (ended,) = events(hall.on.house, "AuctionEnded")
    assert ended.reason == hall.on.house.END_RECOVERED()
    assert not hall.state(seller).frozen


def test_bid__after_a_deposit_that_helps__sells_less(auction):
    hall, seller = auction.hall, auction.seller
    hall.deposit(seller, 300)
    event = hall.bid(seller, auction.buyer)
    assert event.fraction == twin.largest(2_300 * WAD, 200 * WAD, mul_up(2_300 * WAD, START), TERMS[6])


def test_update__back_at_initial_margin__ends(auction):
    hall, seller = auction.hall, auction.seller
    hall.post(hall.margin(seller, initial_margin=2_000 * WAD, maintenance_margin=2_000 * WAD))
    hall.update(seller)
    (ended,) = events(hall.on.house, "AuctionEnded")
    assert ended.reason == hall.on.house.END_RECOVERED()
    hall.refresh(seller, auction.other)
    hall.trade(seller, auction.other, CALL, WAD)  # it trades again


def test_update__above_maintenance_but_not_initial_margin__goes_on(auction):
    later(auction, 60, initial_margin=2_001 * WAD, maintenance_margin=1_000 * WAD)
    auction_now = auction.hall.auction(auction.seller)
    assert (auction_now.maintenanceMargin, auction_now.elapsed) == (1_000 * WAD, 60)


def test_update__after_a_bid__needs_a_leaf_of_after_it(auction):
    hall, seller = auction.hall, auction.seller
    hall.bid(seller, auction.buyer, WAD // 8)
    with boa.reverts("claim: changes do not lead to the book"):
        hall.update(seller)
    hall.post(hall.margin(seller, **LOW))
    hall.update(seller)


def test_update__no_auction__refused(fallen):
    with boa.reverts("auction: none"):
        fallen.hall.update(fallen.seller)


# Refused


def test_bid__frozen_account_trades_or_bids__refused(auction):
    hall, seller = auction.hall, auction.seller
    hall.refresh(auction.other)
    with boa.reverts("clearing: in auction"):
        hall.trade(auction.other, seller, CALL, WAD)
    with boa.reverts("auction: own account"):
        hall.bid(seller, seller)


def test_bid__by_a_stranger__refused_and_by_an_operator__passes(auction):
    hall, buyer = auction.hall, auction.buyer
    agent = boa.env.generate_address("agent")
    with boa.reverts("auction: not the bidder's owner or operator"):
        hall.bid(auction.seller, buyer, sender=agent)
    owner = hall.owners[buyer]
    others = c.SCOPE_WITHDRAW | c.SCOPE_DEPOSIT
    hall.on.clearing.set_operator(buyer, agent, others, NEVER, sender=owner)
    with boa.reverts("auction: not the bidder's owner or operator"):
        hall.bid(auction.seller, buyer, sender=agent)
    hall.on.clearing.set_operator(buyer, agent, c.SCOPE_TRADE, NEVER, sender=owner)
    hall.bid(auction.seller, buyer, sender=agent)


@pytest.mark.parametrize(
    ("expiry", "reason"), [(EXPIRY, None), (EXPIRY + 604_800, "accounts: isolated to another expiry")]
)
def test_bid__isolated_buyer__takes_what_is_in_its_scope_only(auction, expiry, reason):
    hall, seller = auction.hall, auction.seller
    isolated = hall.open_isolated("isolated", expiry, 100_000)
    hall.post(hall.margin(seller, **LOW))
    hall.update(seller)
    hall.refresh(isolated)
    if reason is None:
        assert hall.bid(seller, isolated).fraction > 0
        assert hall.position(isolated, CALL) < 0
    else:
        with boa.reverts(reason):
            hall.bid(seller, isolated)


def test_open_auctions__counts_those_that_have_not_ended(auction):
    hall, house = auction.hall, auction.hall.on.house
    assert house.open_auctions() == 1
    hall.bid(auction.seller, auction.buyer, WAD // 8)
    assert house.open_auctions() == 1
    hall.bid(auction.seller, auction.buyer)
    assert house.open_auctions() == 0


def test_bid__too_small__refused(auction):
    hall, seller, buyer = auction.hall, auction.seller, auction.buyer
    least = mul_up(fraction_at(START), WAD // 10)
    for fraction in (0, least - 1):
        with boa.reverts("auction: bid too small"):
            hall.bid(seller, buyer, fraction)
    assert hall.bid(seller, buyer, least).fraction == least


def test_bid__buyer_cannot_carry_it__refused(auction):
    hall = auction.hall
    poor = hall.open("poor", 100)
    hall.post(hall.margin(auction.seller, **LOW))
    hall.update(auction.seller)
    hall.refresh(poor)
    with boa.reverts("gate: below initial margin"):
        hall.bid(auction.seller, poor)


def test_bid__by_report__refused_and_by_leaf__passes(auction):
    hall, seller, buyer = auction.hall, auction.seller, auction.buyer
    with boa.reverts("auction: not a way to bid"):
        hall.bid(seller, buyer, evidence=(2, b""))
    hall.bid(seller, buyer, evidence=hall.leaf(buyer, [CALL]), statement=hall.statement())
    assert hall.position(buyer, CALL) < 0


def test_bid__epoch_no_longer_usable__update_first(auction):
    hall, seller = auction.hall, auction.seller
    hall.post(hall.margin(seller, **LOW), spot=SPOT * 101 // 100)  # more than a quarter of the band
    hall.refresh(auction.buyer)
    with boa.reverts("auction: update first"):
        hall.bid(seller, auction.buyer)
    hall.update(seller)
    hall.bid(seller, auction.buyer)


def test_bid__a_leg_has_expired__refused_until_settled(hall):
    soon, later_call = PUT, call(2_000, EXPIRY + 7 * 86_400)
    seller, buyer = hall.open("seller", 2_000), hall.open("buyer", 100_000)
    hall.hold(seller, buyer, {soon: -WAD, later_call: -9 * WAD})
    hall.wait(EXPIRY - boa.env.evm.patch.timestamp - 100)
    units = [unit(soon), unit(later_call)]
    hall.post(hall.margin(seller, **LOW), units=units)
    hall.flag(seller)
    hall.wait(100)
    with boa.reverts("auction: a leg has expired"):
        hall.bid(seller, buyer, evidence=HEADROOM)


def test_bid__no_auction__refused(fallen):
    with boa.reverts("auction: none"):
        fallen.hall.bid(fallen.seller, fallen.buyer)


def test_bid__collateral__moves_with_the_share_and_counts_in_full(hall):
    """Ten short calls, 1,000 of cash, an ether: worth 2,000, of which 1,800 counts to initial margin."""
    seller, buyer = hall.open("seller"), hall.open("buyer", 100_000)
    hall.deposit_ether(seller, WAD)
    hall.hold(seller, buyer, {CALL: -10 * WAD})
    stated = hall.margin(seller, initial_margin=2_500 * WAD, maintenance_margin=2_000 * WAD)
    hall.post(stated, units=[unit(CALL)])
    hall.refresh(buyer)
    hall.flag(seller)
    owned = hall.cash(buyer)
    event = hall.bid(seller, buyer)
    asked = 2_000 * WAD * TERMS[0] // WAD
    assert event.fraction == -(-700 * WAD * WAD // (700 * WAD + asked))
    assert event.price == -(-asked * event.fraction // WAD)
    held = [hall.on.vault.collateral_balance(a, hall.on.ether.address) for a in (seller, buyer)]
    assert held == [WAD - event.fraction, event.fraction]
    assert hall.cash(buyer) - owned == 1_000 * WAD * event.fraction // WAD - event.price
    left = hall.cash(seller) + held[0] * 1_800 + hall.position(seller, CALL) * 100
    assert left == pytest.approx(2_500 * (WAD - event.fraction), abs=WAD // 10**5)
