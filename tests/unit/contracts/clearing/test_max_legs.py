"""The largest book is valued, traded, withdrawn from and settled, each in half a transaction's gas."""

import boa
import pytest

from keeper.attestation.typed_data import InstrumentLeaf
from keeper.units import constants as c
from tests.support.clearing import EXPIRY, HALF_TRANSACTION, HEADROOM, PERP, USDC, WAD, Deal, call, put
from tests.support.house import INSTRUMENTS

STRIKES = range(1_000, 1_000 + 50 * 64, 50)
BOOK = sorted([call(k) for k in STRIKES] + [put(k) for k in STRIKES])
LEAVES = [InstrumentLeaf(i, WAD, 0, 0, 0, 0) for i in BOOK]


def middle(house, account):
    """Of the bracket, which narrows as time passes."""
    bounds = house.value(house.state(account))
    return (bounds.low + bounds.high) // 2


def require_half(contract):
    """The last call left room for twice its gas; 21,000 and 300,000 for the largest calldata come on top."""
    assert contract._computation.get_gas_used() + 321_000 < HALF_TRANSACTION


@pytest.fixture
def full(pair):
    """The maker is long a little of every option."""
    house = pair.house
    house.deposit(pair.maker, 10**12)
    for batch in (BOOK[:64], BOOK[64:]):
        margins = [
            house.margin(account, mark_to_market=middle(house, account))
            for account in (pair.maker, pair.taker)
        ]
        house.post(*margins, instruments=[*INSTRUMENTS, *LEAVES])
        house.refresh(pair.maker)
        house.refresh(pair.taker)
        for instrument in batch:
            house.trade(Deal(instrument, WAD // 10, WAD), pair.maker, pair.taker, HEADROOM, HEADROOM)
    return pair


def test_full_book__one_leg_more_refused__valued_traded_withdrawn_from_and_settled(full):
    house, deal = full.house, Deal(BOOK[0], WAD // 10, WAD)
    assert house.clearing.account(full.maker).legCount == c.MAX_LEGS
    with boa.reverts("clearing: too many legs"):
        house.trade(Deal(PERP, WAD, 2_000 * WAD), full.maker, full.taker, HEADROOM, HEADROOM)

    assert house.value(house.state(full.maker)).worstCase >= 0
    require_half(house.contracts.valuer)
    report = house.easy(full.maker, deal, taker=False)
    house.trade(deal, full.maker, full.taker, report, house.easy(full.taker, deal))
    require_half(house.clearing)

    report, statement = house.withdrawal(full.maker, USDC, mark_to_market=middle(house, full.maker))
    house.withdraw(full.maker, USDC, report, statement)
    require_half(house.vault)
    house.withdraw(full.maker, USDC, house.worst(full.maker))
    require_half(house.vault)

    patch = boa.env.evm.patch
    patch.timestamp = EXPIRY + c.SETTLEMENT_FALLBACK + 1
    house.contracts.oracle.finalize_settlement(1, EXPIRY)
    house.clearing.settle(full.maker, BOOK)
    require_half(house.clearing)
    house.clearing.settle(full.taker, BOOK)
    assert house.clearing.account(full.maker).legCount == house.clearing.account(full.taker).legCount == 0
    total = sum(house.clearing.account(account).cash for account in (full.maker, full.taker))
    assert total == house.vault.held(house.contracts.token.address) * 10**12
