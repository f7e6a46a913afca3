"""Bids on accounts worth less than nothing: the deficit falls, the fund pays, the rest is shortfall."""

import boa
import pytest

from keeper.units.fixed_point import mul_down, mul_up
from tests.support.auctions import CALL, TERMS, USDC, WAD, events

# ten short calls at 350 against 3,000 of cash
LOST = {"mark_to_market": -3_500 * WAD, "initial_margin": 2_500 * WAD, "maintenance_margin": 2_100 * WAD}
DEFICIT = 500 * WAD


@pytest.fixture
def lost(fallen):
    """The seller has been flagged with a deficit of 500."""
    hall = fallen.hall
    hall.post(hall.margin(fallen.seller, **LOST))
    hall.refresh(fallen.buyer)
    hall.flag(fallen.seller)
    return fallen


@pytest.fixture
def insured(fallen):
    """The same, with 10,000 USD in the fund."""
    fallen.hall.stake(10_000)
    hall = fallen.hall
    hall.post(hall.margin(fallen.seller, **LOST))
    hall.refresh(fallen.buyer)
    hall.flag(fallen.seller)
    return fallen


def conserved(hall):
    """Cash of all accounts, fees and recovery less the shortfall are the tokens held, to the wei."""
    losses = hall.on.vault.losses()
    cash = sum(hall.cash(account) for account in hall.owners)
    held = hall.on.vault.held(hall.on.token.address) * 10**12
    return cash + hall.on.clearing.fees() + losses.recovery - losses.shortfall == held


def test_flag__worth_less_than_nothing__notes_the_deficit(lost):
    hall = lost.hall
    assert hall.auction(lost.seller).insolvent
    assert hall.on.vault.open_deficit() == hall.on.house.deficit(lost.seller) == DEFICIT


def test_bid__insured__fund_pays_the_deficit_and_the_account_is_empty(insured):
    hall, seller, buyer = insured.hall, insured.seller, insured.buyer
    owned = hall.cash(buyer)
    event = hall.bid(seller, buyer)
    (ended,) = events(hall.on.house, "AuctionEnded")
    assert (event.solvent, event.fraction, event.price, event.payout) == (False, WAD, 0, DEFICIT)
    assert ended.reason == hall.on.house.END_SOLD()
    assert hall.cash(buyer) - owned == 3_000 * WAD + DEFICIT
    assert (hall.cash(seller), hall.state(seller).legCount) == (0, 0)
    assert hall.position(buyer, CALL) == -10 * WAD
    assert hall.on.fund.totalAssets() == 9_500 * USDC
    assert (hall.on.vault.open_deficit(), hall.on.vault.losses().shortfall) == (0, 0)
    assert conserved(hall)


@pytest.mark.parametrize("seconds", [0, 600, 3_700])
def test_bid__time_passes__pays_a_rising_bonus(insured, seconds):
    hall, seller = insured.hall, insured.seller
    for step in range(0, seconds, 600):
        hall.post(hall.margin(seller, **LOST), seconds=min(600, seconds - step))
        hall.update(seller)
    hall.refresh(insured.buyer)
    event = hall.bid(seller, insured.buyer)
    bonus = TERMS[3] * min(seconds, TERMS[4]) // TERMS[4]
    assert event.payout == DEFICIT + mul_down(2_100 * WAD, bonus)
    assert conserved(hall)


def test_bid__part__lowers_the_deficit_by_the_part(insured):
    hall, seller = insured.hall, insured.seller
    event = hall.bid(seller, insured.buyer, 2 * WAD // 5)
    assert (event.fraction, event.payout) == (2 * WAD // 5, 200 * WAD)
    assert hall.on.vault.open_deficit() == hall.on.house.deficit(seller) == 300 * WAD
    assert hall.cash(seller) == 1_800 * WAD
    rest = hall.auction(seller)
    assert (rest.mark, rest.insolvent) == (-2_100 * WAD, True)
    assert conserved(hall)
    assert hall.bid(seller, insured.buyer).payout == 300 * WAD
    assert hall.on.vault.open_deficit() == 0


def test_bid__no_fund__rest_is_shortfall_of_all(lost):
    hall = lost.hall
    hall.bid(lost.seller, lost.buyer)
    losses = hall.on.vault.losses()
    assert losses.shortfall == DEFICIT
    assert losses.rate < WAD
    assert conserved(hall)
    hall.post()
    hall.refresh(lost.buyer, lost.other)
    with boa.reverts("clearing: shortfall"):
        hall.trade(lost.buyer, lost.other, CALL, WAD)


def test_bid__fund_pays_up_to_its_daily_share__rest_is_shortfall(fallen):
    hall = fallen.hall
    hall.stake(600)
    hall.post(hall.margin(fallen.seller, **LOST))
    hall.refresh(fallen.buyer)
    hall.flag(fallen.seller)
    hall.bid(fallen.seller, fallen.buyer)
    assert hall.on.vault.losses().shortfall == DEFICIT - 300 * WAD
    assert hall.on.fund.totalAssets() == 300 * USDC
    assert conserved(hall)


def test_bid__wants_more_than_the_payout__refused(insured):
    hall, seller, buyer = insured.hall, insured.seller, insured.buyer
    with boa.reverts("auction: price beyond limit"):
        hall.bid(seller, buyer, limit=-DEFICIT - 1)
    assert hall.bid(seller, buyer, WAD // 2, limit=-DEFICIT).payout == DEFICIT // 2


def test_two_auctions__deficits_add_up_and_leave_one_by_one(insured):
    hall = insured.hall
    second = hall.open("second", 2_000)
    hall.post(hall.margin(insured.seller, **LOST))
    hall.hold(second, insured.other, {CALL: -10 * WAD})
    hall.post(
        hall.margin(insured.seller, **LOST), hall.margin(second, **(LOST | {"mark_to_market": -3_100 * WAD}))
    )
    hall.flag(second)
    assert hall.on.vault.open_deficit() == 600 * WAD
    hall.update(insured.seller)
    hall.refresh(insured.buyer)
    hall.bid(insured.seller, insured.buyer)
    assert hall.on.vault.open_deficit() == 100 * WAD
    hall.bid(second, insured.buyer)
    assert hall.on.vault.open_deficit() == 0


# From one phase to the other


def test_phases__turns_insolvent_at_an_update__clock_begins_anew(fallen):
    hall, seller = fallen.hall, fallen.seller
    hall.flag(seller)
    hall.post(hall.margin(seller, **LOST), seconds=300)
    hall.update(seller)
    auction = hall.auction(seller)
    assert (auction.insolvent, auction.elapsed) == (True, 0)
    assert hall.on.vault.open_deficit() == DEFICIT


def test_phases__turns_solvent_by_a_deposit__bid_pays_and_no_deficit_is_left(lost):
    hall, seller = lost.hall, lost.seller
    hall.wait(100)
    hall.deposit(seller, 1_500)
    event = hall.bid(seller, lost.buyer, WAD // 3)
    assert (event.solvent, event.discounted, event.payout) == (True, TERMS[0], 0)
    assert event.price == mul_up(mul_up(1_000 * WAD, TERMS[0]), WAD // 3)
    assert not hall.auction(seller).insolvent
    assert hall.on.vault.open_deficit() == hall.on.house.deficit(seller) == 0


def test_phases__recovers_whole__deficit_is_gone(lost):
    hall, seller = lost.hall, lost.seller
    hall.deposit(seller, 3_000)
    hall.update(seller)
    assert not hall.state(seller).frozen
    assert hall.on.vault.open_deficit() == 0


def test_withdraw__frozen_account__refused(lost):
    hall, owner = lost.hall, lost.hall.owners[lost.seller]
    with boa.reverts("clearing: in auction"):
        hall.on.vault.withdraw(lost.seller, hall.on.token.address, USDC, owner, (3, b""), b"", sender=owner)
