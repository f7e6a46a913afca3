"""The whole of a liquidation, step by step: what the random sequences also do, but seldom to its end."""

from dataclasses import replace

import pytest

from keeper.markets.instrument import Instrument, Kind
from tests.stateful.auctions import Bid
from tests.stateful.claims import claim_on, encoded
from tests.stateful.epochs import publish_book
from tests.stateful.liquidation import RECOVERED
from tests.stateful.orders import HEADROOM, LEAF, REPORT, WORST_CASE
from tests.stateful.scene import WAD, Fixed, Scene

USDC = 10**6
NO_LIMIT = 2**200
RICH, POOR_IN_CASH = 1, 0  # traders: 20,000 USD; 4,000 USD and 15 coins
DAY = 86_400


@pytest.fixture
def scene():
    scene = Scene()
    yield scene
    scene.teardown()


def bid(scene, number, fraction=WAD, way=HEADROOM, limit=NO_LIMIT, bidder=None):
    """By the liquidator; the reason of a refusal, else empty."""
    bidder = bidder or scene.liquidator
    if way == HEADROOM:
        scene.protocol.refresh(bidder)
    reason = scene.liquidation.bid(Bid(number, bidder, fraction, limit, way))
    scene.holds()
    return reason


def fallen(scene, per_mille, trader=RICH):
    """A geared trader, flagged after a move of the market."""
    number = scene.geared(trader)
    scene.moved(per_mille)
    scene.flagged(number)
    return number


def test_solvent_auction__largest_bid__restores_initial_margin(scene):
    number = fallen(scene, -250)

    assert bid(scene, number) == ""

    stands = scene.stands(number)
    assert not scene.protocol.account(number).frozen
    assert abs(stands.equity_initial - stands.initial) < 10**15
    assert scene.protocol.summary["bid for largest, solvent"] == 1


def test_solvent_auction__small_bids__each_raise_health(scene):
    number = fallen(scene, -250, POOR_IN_CASH)
    largest = scene.liquidation.offer(number).largest

    for _ in range(3):
        before = scene.stands(number)
        assert bid(scene, number, largest // 5) == ""
        after = scene.stands(number)
        assert after.equity_maintenance * before.maintenance > before.equity_maintenance * after.maintenance
    assert scene.protocol.summary["bid with collateral"] == 3


def test_solvent_auction__less_than_dust_left__sold_whole(scene):
    number = scene.geared(RICH)
    stands, spot = scene.stands(number), scene.spots[0]
    units = sum(scene.protocol.account(number).positions.values())
    scene.spots[0] = spot - (stands.full - 300 * WAD) * 10**8 // units
    scene.moved(0)
    scene.flagged(number)

    assert bid(scene, number, WAD) == ""

    assert scene.protocol.account(number).positions == {}
    assert scene.protocol.summary["bid for all, solvent"] == 1


def test_auction__bidder_is_another_trader_by_leaf__passes_like_any_trade(scene):
    number = fallen(scene, -250)
    other = scene.numbers[3]

    assert bid(scene, number, scene.liquidation.offer(number).largest // 8, LEAF, bidder=other) == ""


@pytest.mark.parametrize("per_mille", [-250, -600])
def test_auction__price_beyond_the_limit__refused(scene, per_mille):
    number = fallen(scene, per_mille)

    assert "beyond limit" in bid(scene, number, limit=scene.liquidation.offer(number).asked - 1)
    assert bid(scene, number, limit=scene.liquidation.offer(number).asked) == ""


def test_auction__owner_brings_what_is_missing__ends(scene):
    number = fallen(scene, -250)

    scene.rescue(Fixed(number), coins=False)
    scene.holds()

    assert number not in scene.liquidation.auctions
    assert scene.protocol.summary[RECOVERED] == 1


def test_insolvent_auction__sold__fund_pays_first_and_all_bear_the_rest(scene):
    number = fallen(scene, -600)
    scene.protocol.world.chain.mine(40, 500)
    scene.next_epoch((0, 0), 12)
    scene.liquidation.update(number, REPORT)
    scene.holds()

    assert bid(scene, number, WAD // 2) == ""
    assert bid(scene, number) == ""

    ledger = scene.protocol.ledger
    assert scene.protocol.fund_assets < 1_000 * USDC
    assert ledger.losses.shortfall > 0 == ledger.losses.open_deficit
    assert scene.protocol.rate < WAD
    assert scene.protocol.account(number).positions == {}


def test_shortfall__until_recovered__withdrawals_pay_the_rate(scene):
    number = fallen(scene, -600)
    assert bid(scene, number) == ""
    protocol = scene.protocol
    assert protocol.withdraw(scene.numbers[3], 1_000 * USDC, WORST_CASE) == ""
    scene.holds()
    rate = protocol.rate

    scene.recover_shortfall(110)
    scene.holds()
    for _ in range(4):
        scene.days_pass(48)
        protocol.deposit(scene.numbers[3], USDC)
        scene.holds()

    assert rate < WAD == protocol.rate
    assert protocol.ledger.losses.recovery == 0
    scene.bought(RICH + 2, 5)


def test_conversion__settled_cash_below_zero__coins_bring_it_to_zero(scene):
    number = scene.bought(POOR_IN_CASH, 150)
    scene.moved(-200)
    assert scene.conversion.start(number) == ""
    scene.holds()

    for share in (10, 100):
        scene.convert(Fixed(number, True, 1), percent=share, paid=150)
        scene.holds()

    assert number not in scene.conversion.started
    assert 0 <= scene.conversion.settled(number) < 10**12 * 3


def test_conversion__owner_brings_cash__ends_without_a_sale(scene):
    number = scene.bought(POOR_IN_CASH, 150)
    scene.moved(-200)
    scene.conversion.start(number)
    scene.protocol.deposit(number, 10_000 * USDC)

    scene.convert(Fixed(number, True, 1), percent=50, paid=150)
    scene.holds()

    assert scene.protocol.summary["end of a conversion"] == 1
    assert scene.protocol.account(number).collateral == {1: 15 * WAD}


@pytest.mark.parametrize("how", ["collateral", "reduction"])
def test_flag__changes_after_the_snapshot__replayed(scene, how):
    number = scene.geared(RICH)
    scene.moved(-250)

    scene.flag_behind_changes(Fixed(True, number, min(scene.protocol.account(number).positions)), how)
    scene.holds()

    assert scene.protocol.summary["flag after changes"] == 1


@pytest.mark.parametrize("way", [LEAF, REPORT])
def test_flag__spot_outside_its_band__needs_both_spots(scene, way):
    """The posted spot alone says that the account is below: the effective one has the last word."""
    number = scene.geared(RICH)
    scene.spots[0] = scene.spots[0] * 80 // 100
    scene.next_epoch((0, 0), 12)

    assert "not below" in scene.liquidation.flag(number, way)


@pytest.mark.parametrize("way", [LEAF, REPORT])
def test_flag__fully_collateralised_account__not_even_by_hostile_attesters(scene, way):
    call = next(i for i in scene.deployment.instruments if Instrument.unpack(i).kind == Kind.CALL)
    number, p = scene.bought(RICH, 20, call), scene.protocol
    hostile = {name: 2**100 for name in ("initialMargin", "maintenanceMargin", "maintenancePosted")}
    honest = claim_on(p, number, way)
    claim = replace(honest, leaf=honest.leaf | hostile)
    if way == LEAF:
        scene.tick((0, 0), 12)
        epoch = p.propose(scene.spots)
        leaves = {**epoch.margins, number: epoch.margins[number] | hostile}
        forged = publish_book(epoch.header, epoch.words, epoch.views, leaves, scene.deployment.instruments)
        p.publish(forged)
        claim = claim_on(p, number, way)

    reason = scene.liquidation.house.attempt("flag", number, encoded(p, claim))

    assert reason == "auction: not below maintenance margin"
