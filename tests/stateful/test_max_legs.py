"""Invariant 10: an account of MAX_LEGS legs is valued, flagged, bid on and settled, in one call each."""

from dataclasses import fields

import pytest

from keeper.clearing.ledger import TradeLeg
from keeper.markets.instrument import Instrument, Kind
from keeper.units.constants import MAX_LEGS
from tests.stateful import deployment, machine
from tests.stateful.auctions import Bid
from tests.stateful.deployment import LOT, USD, Deployment
from tests.stateful.orders import HEADROOM, LEAF, REPORT, Deal
from tests.stateful.scene import WAD, Scene

USDC = 10**6
STRIKES = [1_000 + 25 * i for i in range(MAX_LEGS // 2)]
GAS = 30_000_000


class WideDeployment(Deployment):
    """The same contracts with 128 options of one expiry."""

    @property
    def instruments(self) -> list[int]:
        expiry = self.expiries[0]
        kinds = (Kind.CALL, Kind.PUT)
        return sorted(Instrument(1, expiry, k * USD, kind).pack() for k in STRIKES for kind in kinds)


@pytest.fixture
def scene(monkeypatch):
    """A trader that is short all 128."""
    plain = deployment.deploy()
    wide = WideDeployment(**{field.name: getattr(plain, field.name) for field in fields(plain)})
    grid = (STRIKES[0] * USD, STRIKES[-1] * USD, 25 * USD)
    expiry = wide.expiries[0] + 3_600
    wide.expiries = (expiry, wide.expiries[1])
    wide.markets.list_expiry(1, expiry, grid)
    monkeypatch.setattr(machine, "deploy", lambda: wide)
    scene = Scene()
    yield scene
    scene.teardown()
    plain.checkpoint = wide.checkpoint


def short_all(scene):
    """By reports, four legs at a time."""
    number = scene.numbers[1]
    scene.protocol.deposit(number, 400_000 * USDC)
    codes = scene.deployment.instruments
    for start in range(0, MAX_LEGS, 4):
        legs = tuple(TradeLeg(i, -LOT, scene.at(i, 100)) for i in codes[start : start + 4])
        assert scene.protocol.trade(Deal(number, scene.liquidator, legs, (REPORT, REPORT), False)) == ""
    stands = scene.stands(number)
    spare = (stands.equity_initial - stands.initial) // 10**12
    assert scene.protocol.withdraw(number, spare * 999 // 1_000, REPORT) == ""
    scene.holds()
    return number


def test_account_of_all_legs__traded_flagged_bid_on_and_settled__in_one_call_each(scene):
    number, protocol = short_all(scene), scene.protocol
    assert len(protocol.account(number).positions) == MAX_LEGS

    scene.moved(300)
    scene.flagged(number, LEAF)
    flagged = protocol.world.chain.result.gas_used
    protocol.refresh(scene.liquidator)
    assert scene.liquidation.bid(Bid(number, scene.liquidator, WAD // 4, 2**200, HEADROOM)) == ""
    bought = protocol.world.chain.result.gas_used
    scene.holds()
    protocol.world.chain.mine(9_000, scene.unexpired()[0] + 86_401 - protocol.now)
    scene.finalize(scene.deployment.expiries[0])
    scene.holds()
    protocol.settle(number)
    settled = protocol.world.chain.result.gas_used
    scene.holds()

    assert protocol.account(number).positions == {}
    assert max(flagged, bought, settled) < GAS
