"""Single actions that random sequences reach too seldom to count on, with every invariant."""

from dataclasses import replace

import pytest

from keeper.clearing.ledger import TradeLeg
from keeper.markets.instrument import Instrument, Kind
from tests.stateful.deployment import EXPIRIES, LOT
from tests.stateful.orders import (
    HEADROOM,
    LEAF,
    REDUCE_AT_MARK,
    REDUCE_REPORT,
    REPORT,
    WORST_CASE,
    Deal,
)
from tests.stateful.scene import PERP, Scene

USDC = 10**6
ETHER, BITCOIN = 1, 2
EMPTY_BOOK, HOLDER = 3, 1
FUTURE = Instrument(1, EXPIRIES[0], 0, Kind.FUTURE).pack()


@pytest.fixture
def scene():
    scene = Scene()
    yield scene
    scene.teardown()


def sale(scene, number, lots, ways):
    """Of perps, at the mark, to the liquidator."""
    leg = TradeLeg(PERP, -lots * LOT, scene.at(PERP, 100))
    return Deal(number, scene.liquidator, (leg,), ways)


@pytest.mark.parametrize("other", [REPORT, HEADROOM, LEAF])
def test_reduction_by_report__weak_account__passes(scene, other):
    number = scene.bought(HOLDER, 200)
    scene.moved(-350)
    for one in (number, scene.liquidator):
        scene.protocol.refresh(one)
    stands = scene.stands(number)

    assert scene.protocol.trade(sale(scene, number, 50, (REDUCE_REPORT, other))) == ""

    scene.holds()
    assert stands.equity_initial < stands.initial


@pytest.mark.parametrize("trouble", ["silence", "pause", "both"])
def test_reduction_at_the_mark__no_keepers__passes_on_both_sides(scene, trouble):
    number = scene.bought(HOLDER, 40)
    if trouble != "silence":
        scene.protocol.pause(86_400)
    if trouble != "pause":
        scene.protocol.world.chain.mine(300, 3_600)
    deal = sale(scene, number, 10, (REDUCE_AT_MARK, REDUCE_AT_MARK))

    assert scene.protocol.trade(deal) == ""
    scene.holds()
    assert scene.protocol.trade(replace(deal, ways=(REDUCE_AT_MARK, WORST_CASE))) != ""
    scene.holds()
    by = "reduction at the mark"
    assert scene.protocol.summary[f"trade by {by} / {by} without keepers"] == 1


@pytest.mark.parametrize(("lots", "price"), [(1, 100), (41, 100), (10, 99)])
def test_reduction_at_the_mark__too_little_too_much_or_off_the_mark__refused(scene, lots, price):
    number = scene.bought(HOLDER, 40)
    deal = sale(scene, number, lots, (REDUCE_AT_MARK, HEADROOM))
    leg = replace(deal.legs[0], price=scene.at(PERP, price))

    assert scene.protocol.trade(replace(deal, legs=(leg,))).startswith("gate:")
    scene.holds()


@pytest.mark.parametrize("way", [REPORT, WORST_CASE])
@pytest.mark.parametrize("coin", [ETHER, BITCOIN])
def test_collateral__brought_and_taken_out__leaves_without_the_limit(scene, coin, way):
    number, amount = scene.numbers[EMPTY_BOOK], 10**7
    scene.protocol.deposit(number, amount, coin)
    scene.holds()

    assert scene.protocol.withdraw(number, amount, way, coin) == ""
    scene.holds()
    assert scene.protocol.account(number).collateral == {}


ALL_SCOPES = 7


@pytest.mark.parametrize("way", [HEADROOM, LEAF])
def test_collateral__taken_out_by_what_it_ends__refused(scene, way):
    number = scene.numbers[0]
    scene.protocol.refresh(number)

    assert scene.protocol.withdraw(number, 10**15, way, ETHER) == "gate: book changed otherwise"


def test_collateral__twice_in_an_epoch__refused_until_the_next(scene):
    number = scene.numbers[EMPTY_BOOK]
    reasons = [scene.protocol.deposit(number, 10**15, ETHER) for _ in range(2)]
    scene.next_epoch((0, 0), 12)

    assert reasons == ["", "vault: one deposit of a collateral token an epoch"]
    assert scene.protocol.deposit(number, 10**15, ETHER) == ""


def test_operator__acts_until_the_grant_ends(scene):
    number = scene.numbers[EMPTY_BOOK]
    protocol, world = scene.protocol, scene.protocol.world
    protocol.set_operator(number, 300, ALL_SCOPES, 86_400)
    operator = world.operators[number]
    assert protocol.withdraw(number, USDC, WORST_CASE) == ""
    scene.bought(EMPTY_BOOK, 5)
    protocol.set_operator(number, 300, 0, 0)
    world.operators[number] = operator

    deal = sale(scene, number, 5, (REDUCE_AT_MARK, HEADROOM))
    orders = world.orders(deal)
    sides = [
        protocol.side(n, way, protocol.account(n))
        for n, way in zip((number, scene.liquidator), deal.ways, strict=True)
    ]
    statement = world.statement(orders.action(), sides, deal.instruments)

    assert world.fill(deal, orders, sides, statement) == "clearing: signer may not trade"


def test_stranger__neither_withdraws_nor_deposits_coins_nor_bids(scene):
    scene.protocol.intrude(scene.numbers[0], 999)
    scene.holds()

    assert scene.protocol.summary["intrusion refused"] == 3


def test_signed_actions__brought_again__all_refused(scene):
    scene.bought(HOLDER, 20)
    scene.protocol.withdraw(scene.numbers[HOLDER], USDC, REPORT)

    for index in range(len(scene.protocol.spent)):
        scene.protocol.replay(index)
    scene.holds()


def test_pause__attested_ways_only_are_stopped(scene):
    number = scene.bought(HOLDER, 20)
    other = scene.numbers[EMPTY_BOOK]
    scene.protocol.pause(3_600)

    assert scene.protocol.withdraw(number, USDC, REPORT) == "pausing: paused"
    assert scene.protocol.withdraw(other, USDC, WORST_CASE) == ""
    assert scene.protocol.deposit(number, USDC) == ""
    scene.holds()


def test_spot_outside_its_band__own_deposits_leave__more_does_not(scene):
    number = scene.bought(HOLDER, 20)
    scene.spots[0] = scene.spots[0] * 95 // 100
    scene.next_epoch((0, 0), 12)

    assert "outside its band" in scene.protocol.trade(sale(scene, number, 5, (REPORT, REPORT)))
    assert scene.protocol.withdraw(scene.numbers[EMPTY_BOOK], USDC, REPORT) == ""
    scene.holds()


@pytest.mark.parametrize("silent", [True, False])
def test_expiry__settled_by_both_sides__conserves_cash(scene, silent):
    number = scene.bought(HOLDER, 10, FUTURE)
    fees = scene.protocol.ledger.fees
    scene.expire(move=(40, 0), silent=silent, chance=0)
    scene.settle_all(number)
    scene.settle_all(scene.liquidator)
    scene.holds()

    assert scene.protocol.ledger.net_interest() == {}
    assert scene.protocol.ledger.fees == fees


@pytest.mark.parametrize("way", [HEADROOM, LEAF, REPORT, WORST_CASE])
def test_withdrawal__own_deposit__leaves_past_the_limit_by_every_way(scene, way):
    number, protocol = scene.numbers[HOLDER], scene.protocol
    protocol.refresh(number)

    assert protocol.withdraw(number, 15_000 * USDC, way) == ""
    scene.holds()
    assert protocol.world.vault.outflow(protocol.world.token(0).address).level == 0


def test_withdrawal__gains__only_within_the_limit_of_an_hour(scene):
    number, protocol = scene.bought(HOLDER, 200), scene.protocol
    scene.moved(300)
    scene.next_epoch((0, 0), 12)
    assert protocol.trade(sale(scene, number, 200, (REPORT, REPORT))) == ""
    assert protocol.withdraw(scene.liquidator, 350_000 * USDC, WORST_CASE) == ""
    exempt = protocol.account(number).exempt // 10**12
    limit = protocol.world.vault.outflow(protocol.world.token(0).address).limit

    assert protocol.withdraw(number, exempt + limit + 1, REPORT) == "custody: outflow limit"
    assert protocol.withdraw(number, exempt, REPORT) == ""
    scene.holds()
    assert protocol.withdraw(number, limit // 2, REPORT) == ""
    scene.holds()
    scene.protocol.deposit(scene.numbers[0], 10**12)
    protocol.world.chain.mine(20, 120)
    assert protocol.withdraw(scene.numbers[0], 10**9, WORST_CASE) == ""
    scene.holds()
